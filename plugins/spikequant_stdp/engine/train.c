/* Training: images one after the other, learning at every step. */
#include "cell_float.h"
#include "encode.h"
#include "room.h"
#include "rows.h"

typedef struct {
    Cell cell;
    Source source;
    int32_t *list[STRIP];
    int count[STRIP];
    float *sum, *x_post, *factor;
    int32_t *seen, *spiked;  /* inputs that spiked in this image; when each last did */
    int seen_count, quiet;   /* quiet: no neuron has spiked in this image */
    float *old;              /* of this step's inputs: their weight to the neuron that spikes, before the step */
    uint8_t *stale;          /* rows that await the factors of the last normalisation and the clamp */
} Work;

static void lay_out(const Job *job, Room *room, Work *work) {
    const int64_t line = job->padded * (int64_t)sizeof(float);
    take_source(job, room, &work->source);
    take_lists(job, room, work->list, STRIP);
    float **lines[] = {&work->cell.v, &work->cell.wait, &work->cell.inhibition, &work->cell.none,
                       &work->sum, &work->x_post, &work->factor};
    for (unsigned at = 0; at < sizeof lines / sizeof *lines; at++) *lines[at] = take(room, line);
    work->cell.crossed = take(room, line);
    work->seen = take(room, job->inputs * (int64_t)sizeof(int32_t));
    work->spiked = take(room, job->inputs * (int64_t)sizeof(int32_t));
    work->old = take(room, job->inputs * (int64_t)sizeof(float));
    work->stale = take(room, job->inputs);
}

int64_t stdp_train_room(const Job *job) {
    Room room = {0, 0};
    Work work;
    lay_out(job, &room, &work);
    return room.used;
}

/* Bring a row up to date: the normalisation after the last image, then the clamp of this image's first step. */
INLINE void freshen(const Job *job, Work *work, float *row, const int clamp) {
    const F none = f_set(0.0f), top = f_set(job->w_max);
    for (int64_t j = 0; j < job->padded; j += FL) {
        F w = f_mul(f_load(row + j), f_load(work->factor + j));
        f_store(row + j, clamp ? f_min(f_max(w, none), top) : w);
    }
}

static void meet(const Job *job, Work *work, float *w, const int32_t *row, int rows, int64_t t) {
    for (int r = 0; r < rows; r++) {
        int32_t i = row[r];
        if (work->stale[i]) {
            work->stale[i] = 0;
            work->seen[work->seen_count++] = i;
            if (t) freshen(job, work, w + i * job->padded, 1);
            else freshen(job, work, w + i * job->padded, 0);
        }
        work->spiked[i] = (int32_t)t;
    }
}

/* The spike of neuron j at step t strengthens the weights of the inputs seen; those of this step's inputs are still
 * as before the step, as `old` in the order of the rows. */
static void reward(const Job *job, Work *work, float *w, int64_t j, int64_t t, const int32_t *row, int rows) {
    for (int s = 0; s < work->seen_count; s++) {
        int32_t i = work->seen[s];
        if (work->spiked[i] == t) continue;
        float *at = w + i * job->padded + j;
        *at = learned(job, *at, 0.0f, job->trace[t - work->spiked[i]] * job->eta_post);
    }
    float sum = 0.0f;
    for (int r = 0; r < rows; r++) {
        float *at = w + row[r] * job->padded + j;
        *at = learned(job, work->old[r], work->x_post[j] * job->eta_pre, job->eta_post);
        sum = sum + *at;
    }
    work->sum[j] = sum;
}

static void learn(const Job *job, Work *work, float *w, int64_t t, int64_t spike) {
    const int32_t *row = work->list[t % STRIP];
    const int rows = work->count[t % STRIP];
    const F fade = f_set(job->trace_decay);
    meet(job, work, w, row, rows, t);
    if (work->quiet && spike < 0 && t) { /* all traces of neurons are 0, so no weight changes */
        sum_rows(w, job->padded, row, rows, work->sum);
        return;
    }
    for (int64_t j = 0; j < job->padded; j += FL) f_store(work->x_post + j, f_mul(f_load(work->x_post + j), fade));
    if (spike < 0) {
        learn_rows(job, w, row, rows, work->x_post, work->sum);
        return;
    }
    for (int r = 0; r < rows; r++) work->old[r] = w[row[r] * job->padded + spike];
    work->x_post[spike] = 1.0f;
    work->quiet = 0;
    learn_rows(job, w, row, rows, work->x_post, work->sum);
    reward(job, work, w, spike, t, row, rows);
}

INLINE void total_block(const Job *job, Work *work, float *w, int64_t j, const int block) {
    const F none = f_set(0.0f), top = f_set(job->w_max);
    F total[BLOCK];
    for (int k = 0; k < block; k++) total[k] = none;
    for (int64_t i = 0; i < job->inputs; i++) {
        float *at = w + i * job->padded + j;
        if (work->stale[i]) {
#pragma GCC unroll 32
            for (int k = 0; k < block; k++) {
                F now = f_mul(f_load(at + k * FL), f_load(work->factor + j + k * FL));
                now = f_min(f_max(now, none), top);
                f_store(at + k * FL, now);
                total[k] = f_add(total[k], now);
            }
        } else {
#pragma GCC unroll 32
            for (int k = 0; k < block; k++) total[k] = f_add(total[k], f_load(at + k * FL));
        }
    }
    for (int k = 0; k < block; k++) f_store(work->sum + j + k * FL, total[k]);
}

/* Find the factors that bring each neuron's weights to their norm; rows take them when they are next used. */
static void normalize(const Job *job, Work *work, float *w) {
    int64_t j = 0;
    for (; j + BLOCK * FL <= job->padded; j += BLOCK * FL) total_block(job, work, w, j, BLOCK);
    for (; j + 4 * FL <= job->padded; j += 4 * FL) total_block(job, work, w, j, 4);
    for (; j < job->padded; j += FL) total_block(job, work, w, j, 1);
    for (j = 0; j < job->padded; j++) work->factor[j] = work->sum[j] == 0.0f ? 1.0f : job->norm / work->sum[j];
    memset(work->stale, 1, (size_t)job->inputs);
}

static void train_one(const Job *job, Work *work, float *w, int32_t *counts, const Record *record, int64_t image) {
    reset_cell(job, &work->cell);
    memset(work->x_post, 0, (size_t)job->padded * sizeof(float));
    memset(work->sum, 0, (size_t)job->padded * sizeof(float));
    work->seen_count = 0;
    work->quiet = 1;
    for (int64_t t = 0; t < job->steps; t++) {
        int64_t spike = advance(job, &work->cell, work->sum, t, 1);
        if (spike >= 0) counts[spike]++;
        if (record) note(job, record, &work->cell, image, t);
        if (t % STRIP == 0) encode(job, &work->source, t / STRIP, work->list, work->count);
        learn(job, work, w, t, spike);
    }
    normalize(job, work, w);
}

const char *stdp_lanes(void) { return LANES; }

/* Train on n images (or given spikes), changing the weights (inputs, padded) and theta (padded) in place. Counts of
 * spikes are added to counts (n, neurons); record may be NULL. */
void stdp_train(const Job *job, const uint8_t *inputs, int64_t n, float *w, float *theta, int32_t *counts,
                const Record *record, char *base) {
    const int64_t size = job->inputs * (job->coding == GIVEN ? job->steps : 1);
    Room room = {base, 0};
    Work work;
    lay_out(job, &room, &work);
    prepare_cell(job, &work.cell);
    work.cell.theta = theta;
    memset(work.stale, 1, (size_t)job->inputs);
    for (int64_t j = 0; j < job->padded; j++) work.factor[j] = 1.0f;
    for (int64_t image = 0; image < n; image++) {
        open_source(job, &work.source, inputs + image * size);
        train_one(job, &work, w, counts + image * job->neurons, record, image);
    }
    for (int64_t i = 0; i < job->inputs; i++)
        if (work.stale[i]) freshen(job, &work, w + i * job->padded, 0);
}
