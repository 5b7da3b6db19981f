/* One step of the excitatory neurons with potentials in float32. */
#ifndef STDP_CELL_FLOAT_H
#define STDP_CELL_FLOAT_H
#include "job.h"
#include "lanes.h"

typedef struct {
    float *v;          /* potential */
    float *wait;       /* step from which the neuron takes input again */
    float *firing;     /* threshold + theta; infinite for the columns that pad a row */
    float *theta;      /* while learning, else NULL */
    float *none;       /* inhibition: nobody's */
    float *inhibition; /* everybody's; the one who spiked is let off for a moment */
    int32_t *crossed;  /* neurons that reached their threshold in this step */
    int64_t waiting;   /* last step in which somebody waits */
    int64_t last, before; /* who spiked one and two steps ago, or -1 */
} Cell;

static void reset_cell(const Job *job, Cell *cell) {
    for (int64_t j = 0; j < job->padded; j++) cell->v[j] = job->rest, cell->wait[j] = 0.0f;
    cell->waiting = cell->last = cell->before = -1;
}

static void prepare_cell(const Job *job, Cell *cell) {
    for (int64_t j = 0; j < job->padded; j++) {
        cell->inhibition[j] = job->inhibition;
        cell->none[j] = 0.0f;
    }
}

/* Where to write every step, each (steps, n, neurons). */
typedef struct {
    int64_t n;
    uint8_t *spikes;
    double *potential;
    int32_t *refractory;
} Record;

/* Write down the state after step t. */
static void note(const Job *job, const Record *record, const Cell *cell, int64_t image, int64_t t) {
    const int64_t at = (t * record->n + image) * job->neurons;
    if (cell->last >= 0) record->spikes[at + cell->last] = 1;
    if (!record->potential) return;
    for (int64_t j = 0; j < job->neurons; j++) {
        float left = cell->wait[j] - 1.0f - (float)t;
        record->potential[at + j] = (double)cell->v[j];
        record->refractory[at + j] = left > 0.0f ? (int32_t)left : 0;
    }
}

/* Returns how many reached their threshold. */
INLINE int advance_lanes(const Job *job, Cell *cell, const float *x, const float *inhibition, int64_t t,
                         const int learning, const int waits) {
    const F decay = f_set(job->decay), rest = f_set(job->rest), now = f_set((float)t);
    const F base = f_set(job->threshold), fade = f_set(job->theta_decay);
    int crossed = 0;
    for (int64_t j = 0; j < job->padded; j += FL) {
        F v = f_add(f_mul(f_sub(f_load(cell->v + j), rest), decay), rest);
        F driven = f_load(x + j);
        if (waits) driven = f_sub(driven, f_load(inhibition + j));
        driven = f_add(v, driven);
        v = waits ? f_pick(now, f_load(cell->wait + j), driven, v) : driven;
        F firing;
        if (learning) {
            F theta = f_mul(f_load(cell->theta + j), fade);
            f_store(cell->theta + j, theta);
            firing = f_add(base, theta);
        } else {
            firing = f_load(cell->firing + j);
        }
        f_store(cell->v + j, v);
        for (unsigned bits = f_at_least(v, firing); bits; bits &= bits - 1)
            cell->crossed[crossed++] = (int32_t)j + __builtin_ctz(bits);
    }
    return crossed;
}

/* Advance by one step with the input x; returns who spikes, or -1. */
INLINE int64_t advance(const Job *job, Cell *cell, const float *x, int64_t t, const int learning) {
    int crossed;
    if (t <= cell->waiting || cell->before >= 0) {
        const float *inhibition = cell->before >= 0 ? cell->inhibition : cell->none;
        if (cell->before >= 0) cell->inhibition[cell->before] = 0.0f;
        crossed = advance_lanes(job, cell, x, inhibition, t, learning, 1);
        if (cell->before >= 0) cell->inhibition[cell->before] = job->inhibition;
    } else {
        crossed = advance_lanes(job, cell, x, NULL, t, learning, 0);
    }
    for (int c = 0; c < crossed; c++) {
        int32_t j = cell->crossed[c];
        cell->v[j] = job->reset;
        cell->wait[j] = (float)(t + job->refractory + 1);
        cell->waiting = t + job->refractory;
        if (learning) cell->theta[j] = cell->theta[j] + job->theta_plus;
    }
    cell->before = cell->last;
    cell->last = crossed ? cell->crossed[0] : -1;
    return cell->last;
}
#endif
