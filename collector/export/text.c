/* Go's text form (debug=1), which `prof text` prints too; it can be read back. */
#include <stdio.h>
#include <stdlib.h>

#include "export/format.h"
#include "report/text.h"

bool text_write(struct writer *out, const struct profile *p, const struct export_options *options,
                struct error *err)
{
    static const struct text_options plain;
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return fail_with(err, "no memory for the text");
    text_print_debug1(p, NULL, &plain, stream);
    bool ok = fclose(stream) == 0;
    if (ok)
        writer_put_bytes(out, text, size);
    free(text);
    return ok || fail_with(err, "no memory for the text");
}
