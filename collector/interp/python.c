#include "interp/python.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/peek.h"
#include "interp/python_layout.h"
#include "interp/python_text.h"

#define CHAIN_MOST 4096 /* interpreters, threads or frames: more are a loop */

/* A code object that was met: its address may be used again for another one. */
struct code {
    UT_hash_handle hh;
    uint64_t key[3]; /* its address, name and table */
    char *name, *file;
    unsigned char *lines;
    size_t lines_size;
    unsigned first_line;
};

/* The evaluator's code: compilers move what is seldom run out of it. */
#define EVALUATOR "_PyEval_EvalFrameDefault"
#define PARTS 4

struct symbols {
    uint64_t runtime, version; /* addresses */
    struct {
        uint64_t start, limit;
    } evaluator[PARTS];
    size_t parts;
};

struct python {
    pid_t pid;
    const struct python_layout *layout;
    uint64_t runtime;
    struct symbols symbols;
    struct code *codes;
};

static int look_for_symbols(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base,
                            void *arg)
{
    struct symbols *symbols = arg;
    const char *slash = name ? strrchr(name, '/') : NULL;
    const char *file = slash ? slash + 1 : name;
    (void)user, (void)base;
    if (!file || (strncmp(file, "python", 6) != 0 && strncmp(file, "libpython", 9) != 0))
        return DWARF_CB_OK;
    int count = dwfl_module_getsymtab(module);
    for (int n = 1; n < count; n++) {
        GElf_Sym symbol;
        GElf_Addr address;
        const char *found = dwfl_module_getsym_info(module, n, &symbol, &address, NULL, NULL, NULL);
        if (!found || symbol.st_shndx == SHN_UNDEF)
            continue;
        if (strcmp(found, "_PyRuntime") == 0)
            symbols->runtime = address;
        else if (strcmp(found, "Py_Version") == 0)
            symbols->version = address;
        else if (strncmp(found, EVALUATOR, strlen(EVALUATOR)) == 0 && symbols->parts < PARTS) {
            symbols->evaluator[symbols->parts].start = address;
            symbols->evaluator[symbols->parts++].limit = address + symbol.st_size;
        }
    }
    return DWARF_CB_OK;
}

struct python *python_open(pid_t pid, Dwfl *dwfl)
{
    struct symbols symbols = {0};
    uint64_t version;
    dwfl_getmodules(dwfl, look_for_symbols, &symbols, 0);
    if (!symbols.runtime || !symbols.version ||
        !peek(pid, symbols.version, &version, sizeof version))
        return NULL;
    const struct python_layout *layout = python_layout_find((uint16_t)(version >> 16));
    if (!layout)
        return NULL;
    struct python *python = mem_zero(1, sizeof *python);
    *python = (struct python){
        .pid = pid, .layout = layout, .runtime = symbols.runtime, .symbols = symbols};
    return python;
}

bool python_is_evaluator(const struct python *python, uint64_t address)
{
    for (size_t n = 0; n < python->symbols.parts; n++)
        if (address >= python->symbols.evaluator[n].start &&
            address < python->symbols.evaluator[n].limit)
            return true;
    return false;
}

void python_close(struct python *python)
{
    struct code *code, *next;
    if (!python)
        return;
    HASH_ITER(hh, python->codes, code, next)
    {
        HASH_DEL(python->codes, code);
        free(code->name);
        free(code->file);
        free(code->lines);
        free(code);
    }
    free(python);
}

/* A pointer in the process; 0: it cannot be read. */
static uint64_t pointer(const struct python *python, uint64_t address)
{
    uint64_t value;
    return address && peek(python->pid, address, &value, sizeof value) ? value : 0;
}

/* The thread's number as the process itself sees it: the last one of NSpid (proc_pid_status(5)). */
static uint64_t own_number(pid_t pid, pid_t tid)
{
    char path[64], line[256];
    uint64_t number = (uint64_t)tid;
    snprintf(path, sizeof path, "/proc/%d/task/%d/status", (int)pid, (int)tid);
    FILE *in = fopen(path, "re");
    while (in && fgets(line, sizeof line, in)) {
        char *tab = strncmp(line, "NSpid:", 6) == 0 ? strrchr(line, '\t') : NULL;
        if (tab)
            number = strtoull(tab + 1, NULL, 10);
    }
    if (in)
        fclose(in);
    return number;
}

static uint64_t find_thread(const struct python *python, pid_t tid)
{
    const struct python_layout *layout = python->layout;
    uint64_t wanted = own_number(python->pid, tid);
    uint64_t interpreter = pointer(python, python->runtime + layout->runtime_interpreters);
    for (unsigned n = 0; interpreter && n < CHAIN_MOST; n++) {
        uint64_t thread = pointer(python, interpreter + layout->interpreter_threads);
        for (unsigned i = 0; thread && i < CHAIN_MOST; i++) {
            if (pointer(python, thread + layout->thread_native_id) == wanted)
                return thread;
            thread = pointer(python, thread + layout->thread_next);
        }
        interpreter = pointer(python, interpreter + layout->interpreter_next);
    }
    return 0;
}

static uint64_t word_at(const unsigned char *bytes, unsigned offset)
{
    uint64_t word;
    memcpy(&word, bytes + offset, sizeof word);
    return word;
}

/* What is known of a code object; NULL: it is none. */
static const struct code *find_code(struct python *python, uint64_t address)
{
    const struct python_layout *layout = python->layout;
    unsigned char bytes[PYTHON_CODE_BYTES];
    struct code *code;
    if (!peek(python->pid, address, bytes, sizeof bytes))
        return NULL;
    uint64_t key[3] = {address, word_at(bytes, layout->code_name),
                       word_at(bytes, layout->code_lines)};
    HASH_FIND(hh, python->codes, key, sizeof key, code);
    if (code)
        return code;
    char *name = python_text_read(python->pid, layout, key[1]);
    char *file = python_text_read(python->pid, layout, word_at(bytes, layout->code_filename));
    if (!name || !file) {
        free(name);
        free(file);
        return NULL;
    }
    code = mem_zero(1, sizeof *code);
    memcpy(code->key, key, sizeof key);
    code->name = name;
    code->file = file;
    code->lines = python_bytes_read(python->pid, key[2], &code->lines_size);
    memcpy(&code->first_line, bytes + layout->code_first_line, sizeof code->first_line);
    HASH_ADD(hh, python->codes, key, sizeof code->key, code);
    return code;
}

/* One frame. False: it is no frame of Python's (*is_boundary: but the place where an evaluator's
 * call began), or cannot be read (*previous is 0 then). */
static bool read_frame(struct python *python, uint64_t address, struct python_frame *frame,
                       uint64_t *previous, bool *is_boundary)
{
    const struct python_layout *layout = python->layout;
    unsigned char bytes[PYTHON_FRAME_BYTES];
    *previous = 0;
    *is_boundary = false;
    if (!peek(python->pid, address, bytes, sizeof bytes))
        return false;
    *previous = word_at(bytes, layout->frame_previous);
    if (!layout->frame_entry && bytes[layout->frame_owner] == PYTHON_OWNED_BY_C) {
        *is_boundary = true;
        return false;
    }
    uint64_t object = word_at(bytes, layout->frame_code);
    const struct code *code = find_code(python, object);
    if (!code) {
        *previous = 0;
        return false;
    }
    uint64_t offset =
        word_at(bytes, layout->frame_instruction) - (object + layout->code_instructions);
    *frame = (struct python_frame){
        .name = code->name,
        .file = code->file,
        .line =
            code->lines ? python_line(code->lines, code->lines_size, code->first_line, offset) : 0,
        .first_line = code->first_line,
        .is_entry = layout->frame_entry && bytes[layout->frame_entry],
    };
    return true;
}

size_t python_frames(struct python *python, pid_t tid, struct python_frame *frames, size_t max)
{
    const struct python_layout *layout = python->layout;
    uint64_t thread = find_thread(python, tid);
    if (!thread)
        return 0;
    uint64_t holder =
        layout->thread_cframe ? pointer(python, thread + layout->thread_cframe) : thread;
    uint64_t at = holder ? pointer(python, holder + layout->thread_frame) : 0;
    size_t n = 0;
    for (unsigned i = 0; at && n < max && i < CHAIN_MOST; i++) {
        bool is_boundary;
        uint64_t previous;
        if (read_frame(python, at, &frames[n], &previous, &is_boundary))
            n++;
        else if (is_boundary && n)
            frames[n - 1].is_entry = true;
        else if (!is_boundary)
            return 0;
        at = previous;
    }
    return n;
}
