#include "serve/proc_stat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATE = 3, PARENT = 4, START = 22, EXIT_CODE = 52 }; /* proc(5) counts from 1 */

bool proc_stat_read(pid_t pid, struct proc_stat *stat)
{
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    /* The command's name may hold anything: its end is searched from that of the line. */
    char *at = strrchr(text, ')');
    if (!at || at[1] != ' ')
        return false;
    stat->state = at[2];
    int field = STATE;
    for (at += 2; *at && field < EXIT_CODE; at++) {
        if (*at != ' ')
            continue;
        field++;
        if (field == PARENT)
            stat->parent = (pid_t)atoi(at + 1);
        if (field == START)
            stat->start_ticks = strtoull(at + 1, NULL, 10);
        if (field == EXIT_CODE)
            stat->exit_code = atoi(at + 1);
    }
    return field == EXIT_CODE;
}
