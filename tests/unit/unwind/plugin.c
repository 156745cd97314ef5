/* Two plugins of one source: the same code addresses, different frames. */
#ifndef PLUGIN_ROOM
#error "PLUGIN_ROOM: words of stack that plugin_call takes"
#endif

long plugin_call(void (*callback)(void *), void *data);

__attribute__((visibility("default"), noinline)) long plugin_call(void (*callback)(void *),
                                                                  void *data)
{
    volatile long room[PLUGIN_ROOM];
    room[0] = 1;
    room[PLUGIN_ROOM - 1] = 2;
    callback(data);
    return room[0] + room[PLUGIN_ROOM - 1];
}
