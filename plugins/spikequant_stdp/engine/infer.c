/* Inference: the spikes of an image are drawn once, and the sums of weights are shared by candidates that have equal
 * weights. */
#include "cell_float.h"
#include "encode.h"
#include "room.h"
#include "rows.h"

enum { SPAN = 16 };  /* steps whose sums are kept at a time */

typedef struct {
    const float *w;        /* (inputs, padded) */
    const float *firing;   /* (padded), of the candidates one after the other */
    int64_t candidates;
    int32_t *counts;       /* (candidates, n, neurons), added to */
} Group;

typedef struct {
    Source source;
    int32_t *list[SPAN];
    int count[SPAN];
    float *sums, *zeros;
    Cell *cells;
} Work;

static void lay_out(const Job *job, Room *room, Work *work, int64_t cells) {
    const int64_t line = job->padded * (int64_t)sizeof(float);
    Cell shared;
    take_source(job, room, &work->source);
    take_lists(job, room, work->list, SPAN);
    work->sums = take(room, line * SPAN);
    work->zeros = take(room, line);
    work->cells = take(room, cells * (int64_t)sizeof(Cell));
    shared.inhibition = take(room, line);
    shared.none = take(room, line);
    shared.crossed = take(room, line);
    if (room->base) prepare_cell(job, &shared);
    for (int64_t c = 0; c < cells; c++) {
        shared.v = take(room, line);
        shared.wait = take(room, line);
        if (room->base) work->cells[c] = shared;
    }
}

int64_t stdp_infer_room(const Job *job, int64_t candidates) {
    Room room = {0, 0};
    Work work;
    lay_out(job, &room, &work, candidates);
    return room.used;
}

INLINE void step(const Job *job, Cell *cell, const float *x, int64_t t, int32_t *counts, const Record *record,
                 int64_t image) {
    int64_t spike = advance(job, cell, x, t, 0);
    if (spike >= 0) counts[spike]++;
    if (record) note(job, record, cell, image, t);
}

/* One image; the sums of step k arrive at step k + 1. */
static void infer_one(const Job *job, Work *work, const Group *group, int64_t groups, int64_t n, const Record *record,
                      int64_t image) {
    for (int64_t from = 0; from < job->steps; from += SPAN) {
        for (int s = 0; s < SPAN; s += STRIP) encode(job, &work->source, (from + s) / STRIP, work->list + s, work->count + s);
        int64_t to = from + SPAN < job->steps - 1 ? from + SPAN : job->steps - 1;
        Cell *cell = work->cells;
        for (int64_t g = 0; g < groups; g++) {
            for (int64_t t = from; t < to; t++)
                sum_rows(group[g].w, job->padded, work->list[t - from], work->count[t - from],
                         work->sums + (t - from) * job->padded);
            for (int64_t c = 0; c < group[g].candidates; c++, cell++) {
                int32_t *counts = group[g].counts + (c * n + image) * job->neurons;
                if (!from) {
                    reset_cell(job, cell);
                    step(job, cell, work->zeros, 0, counts, record, image);
                }
                for (int64_t t = from; t < to; t++)
                    step(job, cell, work->sums + (t - from) * job->padded, t + 1, counts, record, image);
            }
        }
    }
}

/* Run n images (or given spikes) through all candidates; record, for a single candidate, may be NULL. */
void stdp_infer(const Job *job, const uint8_t *inputs, int64_t n, const Group *group, int64_t groups,
                const Record *record, char *base) {
    const int64_t size = job->inputs * (job->coding == GIVEN ? job->steps : 1);
    int64_t candidates = 0;
    for (int64_t g = 0; g < groups; g++) candidates += group[g].candidates;
    Room room = {base, 0};
    Work work;
    lay_out(job, &room, &work, candidates);
    memset(work.zeros, 0, (size_t)job->padded * sizeof(float));
    Cell *cell = work.cells;
    for (int64_t g = 0; g < groups; g++)
        for (int64_t c = 0; c < group[g].candidates; c++, cell++)
            cell->firing = (float *)group[g].firing + c * job->padded;
    for (int64_t image = 0; image < n; image++) {
        open_source(job, &work.source, inputs + image * size);
        infer_one(job, &work, group, groups, n, record, image);
    }
}
