#include "serve/resident.h"

#include "wire/proc_memory.h"
#include <string.h>

void resident_keep(struct process *process)
{
    uint64_t memory[LEDGER_MEMORY_KINDS] = {0};
    if (process->pid > 0 && memory_read((uint32_t)process->pid, memory))
        for (unsigned kind = 0; kind < LEDGER_MEMORY_KINDS; kind++)
            atomic_store(&process->memory[kind], memory[kind]);
}

void resident_get(struct process *process, bool running, uint64_t memory[LEDGER_MEMORY_KINDS])
{
    memset(memory, 0, LEDGER_MEMORY_KINDS * sizeof *memory);
    if (running && process->pid > 0 && memory_read((uint32_t)process->pid, memory))
        return;
    const struct ledger_header *header = process->ledger.base ? process->ledger.view.header : NULL;
    bool left = header && atomic_load(&header->memory[LEDGER_MEMORY_RESIDENT]);
    for (unsigned kind = 0; kind < LEDGER_MEMORY_KINDS; kind++)
        memory[kind] = atomic_load(left ? &header->memory[kind] : &process->memory[kind]);
}
