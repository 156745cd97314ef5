#include "interp/python_layout.h"

#include <stddef.h>

static const struct python_layout layouts[] = {
    {.version = 0x030b,
     .runtime_interpreters = 40,
     .interpreter_next = 0,
     .interpreter_threads = 16,
     .thread_next = 8,
     .thread_native_id = 160,
     .thread_cframe = 56,
     .thread_frame = 8,
     .frame_code = 32,
     .frame_previous = 48,
     .frame_instruction = 56,
     .frame_entry = 68,
     .frame_owner = 69,
     .code_filename = 112,
     .code_first_line = 72,
     .code_name = 128,
     .code_lines = 136,
     .code_instructions = 184,
     .text_ascii = 48,
     .text_compact = 72},
    {.version = 0x030c,
     .runtime_interpreters = 40,
     .interpreter_next = 0,
     .interpreter_threads = 72,
     .thread_next = 8,
     .thread_native_id = 144,
     .thread_cframe = 56,
     .thread_frame = 0,
     .frame_code = 0,
     .frame_previous = 8,
     .frame_instruction = 56,
     .frame_owner = 70,
     .code_filename = 112,
     .code_first_line = 68,
     .code_name = 128,
     .code_lines = 136,
     .code_instructions = 192,
     .text_ascii = 40,
     .text_compact = 56},
    {.version = 0x030d,
     .runtime_interpreters = 632,
     .interpreter_next = 7264,
     .interpreter_threads = 7344,
     .thread_next = 8,
     .thread_native_id = 160,
     .thread_frame = 72,
     .frame_code = 0,
     .frame_previous = 8,
     .frame_instruction = 56,
     .frame_owner = 70,
     .code_filename = 112,
     .code_first_line = 68,
     .code_name = 128,
     .code_lines = 136,
     .code_instructions = 200,
     .text_ascii = 40,
     .text_compact = 56},
};

const struct python_layout *python_layout_find(uint16_t version)
{
    for (size_t n = 0; n < sizeof layouts / sizeof *layouts; n++)
        if (layouts[n].version == version)
            return &layouts[n];
    return NULL;
}
