/*
 * One page that needs nothing else: the flame tree's JSON (json.h), a script that
 * draws it and tabulates it (page.js), and the style (page.css).
 */
#include <stdlib.h>

#include "export/format.h"
#include "export/json.h"
#include "page_css.h"
#include "page_js.h"

/* Nothing may be fetched from anywhere. */
static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n";

static const char body[] =
    "<p class=\"note\" id=\"about\"></p>\n"
    "<div class=\"bar\">\n"
    "<label>Show <select id=\"type\"></select></label>\n"
    "<label>Search <input id=\"search\" type=\"search\" placeholder=\"regular expression ( / )\">"
    "</label>\n"
    "<button id=\"reset\" type=\"button\">Reset zoom</button>\n"
    "<span class=\"note\" id=\"found\" role=\"status\"></span>\n"
    "<span class=\"note diff\" hidden>red: more than before, blue: less</span>\n"
    "</div>\n"
    "<p id=\"info\" role=\"status\"></p>\n"
    "<div id=\"flame\" class=\"flame-area\"></div>\n"
    "<h2>Functions</h2>\n"
    "<p class=\"note\" id=\"shown\" role=\"status\"></p>\n"
    "<div class=\"scroll\"><table>\n<thead><tr>\n"
    "<th scope=\"col\"><button type=\"button\" data-by=\"self\">Flat</button></th><th>Flat %</th>\n"
    "<th scope=\"col\"><button type=\"button\" data-by=\"total\">Cum</button></th><th>Cum %</th>\n"
    "<th scope=\"col\" class=\"diff\" hidden><button type=\"button\" data-by=\"base\">Before"
    "</button></th>\n"
    "<th scope=\"col\" class=\"diff\" hidden><button type=\"button\" data-by=\"change\">Change"
    "</button></th>\n"
    "<th scope=\"col\" class=\"name\"><button type=\"button\" data-by=\"name\">Function</button>"
    "</th>\n"
    "</tr></thead>\n<tbody id=\"rows\"></tbody></table></div>\n"
    "<noscript>This page draws its data with a script.</noscript>\n";

bool html_write(struct writer *out, const struct profile *p, const struct export_options *options,
                struct error *err)
{
    for (size_t type = 0; type < p->n_sample_types; type++)
        if (!export_check_positive(p, (int)type, "html", err))
            return false;
    char *title = export_title(p, options);
    writer_put(out, head);
    writer_put(out, "<title>");
    writer_put_xml(out, title);
    writer_put(out, "</title>\n<style>\n");
    writer_put(out, page_css);
    writer_put(out, "</style>\n</head>\n<body>\n<h1>");
    writer_put_xml(out, title);
    writer_put(out, "</h1>\n");
    writer_put(out, body);
    /* The writer escapes < in strings: nothing in it can end the element. */
    writer_put(out, "<script type=\"application/json\" id=\"data\">");
    bool ok = json_write(out, p, options, err);
    writer_put(out, "</script>\n<script type=\"module\">\n");
    writer_put(out, page_js);
    writer_put(out, "</script>\n</body>\n</html>\n");
    free(title);
    return ok;
}
