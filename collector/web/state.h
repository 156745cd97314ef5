/* What the parts of collector/web share: the struct behind web.h. */
#ifndef COLLECTOR_WEB_STATE_H
#define COLLECTOR_WEB_STATE_H

#include "web/timeline.h"
#include "web/views.h"

struct web {
    struct views views;
    struct timeline timeline;
};

#endif
