/* Puts the functions of a file through the decoder: for each symbol of FILE (a shared object,
 * loaded here) read from standard input as "ADDRESS OFFSET SIZE", prints "ADDRESS TAKEN INTO
 * BYTES": TAKEN 0 for refused, INTO 1 if a jump may lead into what was taken, and the moved bytes
 * in hexadecimal as they would run in a slot of 64 bytes for each symbol, the first 1 MiB below the
 * beginning of the file. */
#include "patch/decode.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
    unsigned long address, offset, size;
    struct stat info;
    int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
    if (fd < 0 || fstat(fd, &info) != 0)
        return 2;
    /* the file and the place for moved code, within reach of each other */
    uint8_t *room = mmap(NULL, (size_t)info.st_size + (2 << 20), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *file =
        mmap(room + (1 << 20), (size_t)info.st_size, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
    if (room == MAP_FAILED || file == MAP_FAILED)
        return 2;
    uint8_t *to = room;
    for (; to + 64 <= file && scanf("%lx %lx %lx", &address, &offset, &size) == 3; to += 64) {
        if (offset + size > (unsigned long)info.st_size)
            return 2;
        unsigned written, taken = decode_move(file + offset, size, 5, to, &written);
        printf("%lx %u %d ", address, taken, decode_jumps_into(file + offset, size, 1, taken));
        for (unsigned n = 0; n < written; n++)
            printf("%02x", to[n]);
        putchar('\n');
    }
    return 0;
}
