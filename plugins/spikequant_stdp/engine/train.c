/* Training: images one after the other, learning at every step. */
#include "lesson.h"
#include "normalize.h"
#include "step_float.h"
#include "step_grid.h"
#include "train_work.h"

int64_t stdp_train_room(const Job *job, const Formats *formats) {
    Room room = {0, 0};
    Work work;
    lay_out(job, formats, &room, &work);
    return room.used;
}

static void forget(const Job *job, Work *work) {
    reset_cell(job, &work->cell);
    memset(work->sum, 0, (size_t)job->padded * sizeof(float));
    memset(work->pre, 0, (size_t)job->padded * sizeof(float));
    memset(work->fired, 0xff, (size_t)job->padded * sizeof(int32_t));
    work->is_wide = work->seen_count = work->awake_count = work->lesson.blocks = 0;
}

/* Raise the thresholds of the neurons that reached them. */
static void adapt(const Job *job, Cell *cell, int crossed, int64_t draw) {
    const Formats *formats = cell->formats;
    const uint64_t stream = stream_of(formats->Vth.key, draw);
    for (int c = 0; c < crossed; c++) {
        int32_t j = cell->crossed[c];
        if (!formats->Vth.there) {
            cell->theta[j] = cell->theta[j] + job->theta_plus;
            continue;
        }
        double raised = cell->fixed[j] + formats->threshold + formats->theta_plus;
        raised = code_of(&formats->Vth, raised, stream, (uint64_t)j) * formats->Vth.step;
        cell->fixed[j] = raised - formats->threshold;
        set_firing(cell, j, raised);
    }
}

/* One step of the neurons; returns who spikes, or -1. */
static int64_t advance(const Job *job, Work *work, int64_t t, int64_t draw) {
    Cell *cell = &work->cell;
    const float *sum = work->sum;
    const double *wide = work->is_wide ? work->wide : NULL;
    const int fading = !cell->formats->Vth.there;
    int crossed;
    if (cell->formats->g.there) step_g(job, cell, sum, wide, draw);
    if (!cell->formats->V.there) {
        crossed = fading ? step_float(job, cell, sum, cell->theta, t, 1) : step_float(job, cell, sum, NULL, t, 0);
    } else {
        if (fading)
            for (int64_t j = 0; j < job->padded; j++) {
                cell->theta[j] = cell->theta[j] * job->theta_decay;
                cell->Firing[j] = (double)(cell->theta[j] + job->threshold) * cell->formats->V.scale;
            }
        crossed = step_grid(job, cell, sum, wide, t, draw);
    }
    adapt(job, cell, crossed, draw);
    return fire(job, cell, crossed, t);
}

static void train_one(const Job *job, Work *work, int64_t number, int32_t *counts, const Record *record,
                      int64_t image) {
    forget(job, work);
    for (int64_t t = 0; t < job->steps; t++) {
        const int64_t draw = number * job->steps + t;
        int64_t spike = advance(job, work, t, draw);
        if (spike >= 0) counts[spike]++;
        if (record) note(job, record, &work->cell, image, t);
        if (t % STRIP == 0) encode(job, &work->source, t / STRIP, work->list, work->count);
        learn(job, work, t, spike, draw);
    }
    normalize(job, work, number);
}

const char *stdp_lanes(void) { return LANES; }

/* Train on n images (or given spikes), of which the first has the given number, changing the weights (inputs, padded)
 * and theta in place: `fading` floats, or where thresholds are quantized `fixed` doubles, (padded). Counts of spikes
 * are added to counts (n, neurons), vanished and updates to tally; record may be NULL. */
void stdp_train(const Job *job, const Formats *formats, const uint8_t *inputs, int64_t n, int64_t number, float *w,
                void *theta, int32_t *counts, int64_t *tally, const Record *record, char *base) {
    const int64_t size = job->inputs * (job->coding == GIVEN ? job->steps : 1);
    Room room = {base, 0};
    Work work;
    lay_out(job, formats, &room, &work);
    work.cell.formats = work.lesson.formats = formats;
    work.lesson.job = job;
    work.lesson.w = w;
    work.lesson.pre = work.pre;
    work.lesson.block = work.block;
    work.lesson.vanished = work.lesson.updates = 0;
    work.cell.theta = theta;
    work.cell.fixed = theta;
    for (int64_t j = 0; j < job->padded; j++) {
        work.factor[j] = 1.0f;
        if (formats->Vth.there) set_firing(&work.cell, j, work.cell.fixed[j] + formats->threshold);
        else if (formats->V.there) work.cell.Firing[j] = HUGE_VAL;
    }
    memset(work.stale, 1, (size_t)job->inputs);
    for (int64_t image = 0; image < n; image++) {
        open_source(job, &work.source, inputs + image * size);
        train_one(job, &work, number + image, counts + image * job->neurons, record, image);
    }
    for (int64_t i = 0; i < job->inputs; i++)
        if (work.stale[i]) freshen(job, work.factor, w + i * job->padded, 0);
    tally[0] += work.lesson.vanished;
    tally[1] += work.lesson.updates;
}
