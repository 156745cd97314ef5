/* What the parts of collector/web share. */
#ifndef COLLECTOR_WEB_STATE_H
#define COLLECTOR_WEB_STATE_H

#include "web/timeline.h"
#include "web/views.h"
#include "web/web.h"

struct web {
    struct views views;
    struct timeline timeline;
};

#endif
