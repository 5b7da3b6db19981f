/* Working memory: one block from the caller, cut into aligned pieces. */
#ifndef STDP_ROOM_H
#define STDP_ROOM_H
#include "cell.h"
#include "encode.h"

typedef struct { char *base; int64_t used; } Room;

/* Cut off `bytes`; with no base only count them. */
INLINE void *take(Room *room, int64_t bytes) {
    int64_t at = room->used;
    room->used += (bytes + 127) / 128 * 128;
    return room->base ? room->base + at : (void *)0;
}

INLINE void take_source(const Job *job, Room *room, Source *source) {
    int64_t most = job->inputs + 16;
    source->pixel = take(room, most * (int64_t)sizeof *source->pixel);
    source->start = take(room, most * (int64_t)sizeof *source->start);
    source->limit = take(room, most * (int64_t)sizeof *source->limit);
}

INLINE void take_lists(const Job *job, Room *room, int32_t **list, int lists) {
    for (int s = 0; s < lists; s++) list[s] = take(room, (job->inputs + 16) * (int64_t)sizeof **list);
}
/* State of one network; floats and doubles share their place. */
INLINE void take_cell(const Job *job, Room *room, Cell *cell) {
    const int64_t line = job->padded * (int64_t)sizeof(double);
    cell->v = take(room, line);
    cell->V = (double *)cell->v;
    cell->wait = take(room, line);
    cell->Wait = (double *)cell->wait;
    cell->firing = take(room, line);
    cell->Firing = (double *)cell->firing;
    cell->g = job->conductance ? take(room, line) : NULL;
    cell->G = job->conductance ? take(room, line) : NULL;
}

/* What the networks of one call share. */
INLINE void take_shared(const Job *job, Room *room, Cell *cell) {
    cell->let_off = take(room, job->padded * (int64_t)sizeof(double));
    cell->let_off_float = take(room, job->padded * (int64_t)sizeof(float));
    cell->draws = take(room, job->padded * (int64_t)sizeof(double));
    cell->crossed = take(room, job->padded * (int64_t)sizeof(int32_t));
    if (room->base)
        for (int64_t j = 0; j < job->padded; j++) cell->let_off[j] = cell->let_off_float[j] = 1.0f;
}
#endif
