/* Where CPython's structures have their fields. */
#ifndef COLLECTOR_INTERP_PYTHON_LAYOUT_H
#define COLLECTOR_INTERP_PYTHON_LAYOUT_H

#include <stdint.h>

/* Offsets in bytes; from the headers of the version named, 64-bit. */
struct python_layout {
    uint16_t version;              /* 0x030b is 3.11 */
    uint16_t runtime_interpreters; /* _PyRuntimeState: interpreters.head */
    uint16_t interpreter_next;     /* PyInterpreterState */
    uint16_t interpreter_threads;  /* threads.head */
    uint16_t thread_next;          /* PyThreadState */
    uint16_t thread_native_id;     /* the kernel's number, in the process's own namespace */
    uint16_t thread_cframe;        /* 3.11, 3.12: a pointer to what has the current frame */
    uint16_t thread_frame;         /* the current frame: in that, or in the thread (3.13) */
    uint16_t frame_code;           /* _PyInterpreterFrame */
    uint16_t frame_previous;
    uint16_t frame_instruction;
    uint16_t frame_entry; /* 3.11: a byte, an evaluator's call began here; 0: there is none */
    uint16_t frame_owner;
    uint16_t code_filename; /* PyCodeObject */
    uint16_t code_first_line;
    uint16_t code_name;                /* co_qualname */
    uint16_t code_lines;               /* co_linetable */
    uint16_t code_instructions;        /* co_code_adaptive */
    uint16_t text_ascii, text_compact; /* sizes of PyASCIIObject and PyCompactUnicodeObject */
};

/* As much of a structure as has all fields that are read. */
#define PYTHON_FRAME_BYTES 80
#define PYTHON_CODE_BYTES 208

/* FRAME_OWNED_BY_CSTACK of pycore_frame.h, since 3.12: no frame of Python's, but the place where an
 * evaluator's call began. */
#define PYTHON_OWNED_BY_C 3

/* NULL: the version is not known. version: PY_VERSION_HEX >> 16. */
const struct python_layout *python_layout_find(uint16_t version);

#endif
