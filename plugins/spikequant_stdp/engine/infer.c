/* Inference: the spikes of an image are drawn once, and the sums of weights are shared by candidates that have equal
 * weights. */
#include "encode.h"
#include "room.h"
#include "step_float.h"
#include "step_grid.h"
#include "sums.h"

enum { SPAN = 16 }; /* steps whose sums are kept at a time */

typedef struct {
    const float *w;          /* (inputs, padded) */
    const Formats *formats;  /* of the candidates one after the other */
    const double *potential; /* (padded) of each candidate, at which its neurons fire */
    int64_t candidates;
    int64_t is_wide;         /* a float may not hold the sums */
    int32_t *counts;         /* (candidates, n, neurons), added to */
} Group;

typedef struct {
    Source source;
    int32_t *list[SPAN];
    int count[SPAN];
    float *sums;
    double *wides, *zeros;
    Cell *cells;
} Work;

static void lay_out(const Job *job, Room *room, Work *work, int64_t cells) {
    const int64_t line = job->padded * (int64_t)sizeof(double);
    Cell shared;
    take_source(job, room, &work->source);
    take_lists(job, room, work->list, SPAN);
    work->sums = take(room, SPAN * line / 2);
    work->wides = take(room, SPAN * line);
    work->zeros = take(room, line);
    work->cells = take(room, cells * (int64_t)sizeof(Cell));
    take_shared(job, room, &shared);
    for (int64_t c = 0; c < cells; c++) {
        take_cell(job, room, &shared);
        if (room->base) work->cells[c] = shared;
    }
}

int64_t stdp_infer_room(const Job *job, int64_t candidates) {
    Room room = {0, 0};
    Work work;
    lay_out(job, &room, &work, candidates);
    return room.used;
}

/* What stochastic rounding adds to potentials before the floor at each step, (steps, padded): 1 - 2**-bits minus the
 * uniform number cut to as many bits. Right where potentials before rounding have no more bits. */
void stdp_chances(const Job *job, uint64_t key, int64_t bits, float *chance) {
    const double unit = ldexp(1.0, (int)-bits);
    for (int64_t t = 0; t < job->steps; t++) {
        const uint64_t stream = stream_of(key, t);
        for (int64_t j = 0; j < job->padded; j++)
            chance[t * job->padded + j] = (float)(1.0 - unit - floor(uniform(stream, (uint64_t)j) / unit) * unit);
    }
}

/* Steps from .. to - 1 of one candidate; the sums of step `from` are the first. */
static void run(const Job *job, Cell *cell, const float *sums, const double *wides, int64_t from, int64_t to,
                int32_t *counts, const Record *record, int64_t image) {
    const Formats *formats = cell->formats;
    for (int64_t t = from; t < to; t++, sums += job->padded, wides = wides ? wides + job->padded : NULL) {
        int crossed;
        if (formats->g.there) step_g(job, cell, sums, wides, t);
        if (formats->V.there) crossed = step_grid(job, cell, sums, wides, t, t);
        else crossed = step_float(job, cell, sums, NULL, t, 0);
        int64_t spike = fire(job, cell, crossed, t);
        if (spike >= 0) counts[spike]++;
        if (record) note(job, record, cell, image, t);
    }
}

static void add_up(const Job *job, Work *work, const Group *group, int steps) {
    for (int s = 0; s < steps; s++) {
        float *sum = work->sums + s * job->padded;
        if (group->is_wide)
            sum_rows_wide(group->w, job->padded, work->list[s], work->count[s], work->wides + s * job->padded, sum);
        else
            sum_rows(group->w, job->padded, work->list[s], work->count[s], sum);
    }
}

/* One image; the inputs of step t arrive at step t + 1. */
static void infer_one(const Job *job, Work *work, const Group *group, int64_t groups, int64_t n, const Record *record,
                      int64_t image) {
    for (int64_t from = 0; from < job->steps; from += SPAN) {
        const int64_t to = from + SPAN < job->steps - 1 ? from + SPAN : job->steps - 1;
        Cell *cell = work->cells;
        for (int s = 0; s < SPAN; s += STRIP)
            encode(job, &work->source, (from + s) / STRIP, work->list + s, work->count + s);
        for (int64_t g = 0; g < groups; g++) {
            add_up(job, work, group + g, (int)(to - from));
            for (int64_t c = 0; c < group[g].candidates; c++, cell++) {
                int32_t *counts = group[g].counts + (c * n + image) * job->neurons;
                if (!from) {
                    reset_cell(job, cell);
                    run(job, cell, (float *)work->zeros, NULL, 0, 1, counts, record, image);
                }
                run(job, cell, work->sums, group[g].is_wide ? work->wides : NULL, from + 1, to + 1, counts, record,
                    image);
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
    memset(work.zeros, 0, (size_t)job->padded * sizeof(double));
    Cell *cell = work.cells;
    for (int64_t g = 0; g < groups; g++)
        for (int64_t c = 0; c < group[g].candidates; c++, cell++) {
            cell->formats = group[g].formats + c;
            for (int64_t j = 0; j < job->padded; j++) set_firing(cell, j, group[g].potential[c * job->padded + j]);
        }
    for (int64_t image = 0; image < n; image++) {
        open_source(job, &work.source, inputs + image * size);
        infer_one(job, &work, group, groups, n, record, image);
    }
}
