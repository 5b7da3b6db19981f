/* The excitatory neurons of one network within an image: state, spikes, thresholds, records. */
#ifndef STDP_CELL_H
#define STDP_CELL_H
#include "grid.h"
#include "job.h"
#include "lanes.h"

typedef struct {
    const Formats *formats;
    /* potential; step from which a neuron takes input again; threshold + theta, infinite for the columns that pad a
     * row: floats, or where V is quantized doubles in codes of V */
    float *v, *wait, *firing;
    double *V, *Wait, *Firing;
    float *g;             /* conductance as V uses it; G: its codes, where it is quantized */
    double *G;
    double *let_off;      /* 1 for everybody; 0 for a moment for the one who inhibits all others; and as floats */
    float *let_off_float;
    float *theta;         /* of training: theta, or where thresholds are quantized `fixed` */
    double *fixed;
    double *draws;        /* of SR in this step */
    int32_t *crossed;     /* neurons that reached their threshold in this step */
    int64_t waiting;      /* last step in which somebody waits */
    int64_t last, before; /* who spiked one and two steps ago, or -1 */
} Cell;

/* What a step must heed: QUIET: nobody waits or is inhibited; BUSY: somebody does, but who inhibits waits itself, so
 * that the inhibition may be everybody's; ANYHOW: everything. */
enum { QUIET, BUSY, ANYHOW };

/* Where to write every step, each (steps, n, neurons); all but the spikes may be NULL. */
typedef struct {
    int64_t n;
    uint8_t *spikes;
    double *potential;
    int32_t *refractory;
    double *g;
} Record;

INLINE int business(const Job *job, const Cell *cell, int64_t t) {
    if (cell->before >= 0 && job->refractory < 2) return ANYHOW;
    return t <= cell->waiting || cell->before >= 0 ? BUSY : QUIET;
}

static void reset_cell(const Job *job, Cell *cell) {
    const Grid *grid = &cell->formats->V;
    for (int64_t j = 0; j < job->padded; j++) {
        if (grid->there) cell->V[j] = (double)job->rest * grid->scale, cell->Wait[j] = 0.0;
        else cell->v[j] = job->rest, cell->wait[j] = 0.0f;
        if (job->conductance) cell->g[j] = 0.0f, cell->G[j] = 0.0;
    }
    cell->waiting = cell->last = cell->before = -1;
}

/* Write down the state after step t. */
static void note(const Job *job, const Record *record, const Cell *cell, int64_t image, int64_t t) {
    const int64_t at = (t * record->n + image) * job->neurons;
    const Grid *V = &cell->formats->V, *g = &cell->formats->g;
    if (cell->last >= 0) record->spikes[at + cell->last] = 1;
    if (!record->potential) return;
    for (int64_t j = 0; j < job->neurons; j++) {
        double left = (V->there ? cell->Wait[j] : (double)cell->wait[j]) - 1.0 - (double)t;
        record->potential[at + j] = V->there ? cell->V[j] * V->step : (double)cell->v[j];
        record->refractory[at + j] = left > 0.0 ? (int32_t)left : 0;
        if (record->g) record->g[at + j] = g->there ? cell->G[j] * g->step : (double)cell->g[j];
    }
}

/* Neuron j fires at the given potential, which a float may not hold: the next float above it then does the same. */
INLINE void set_firing(Cell *cell, int64_t j, double potential) {
    if (cell->formats->V.there) {
        cell->Firing[j] = potential * cell->formats->V.scale;
    } else {
        float near = (float)potential;
        cell->firing[j] = (double)near < potential ? nextafterf(near, HUGE_VALF) : near;
    }
}

/* Reset who reached the threshold; returns who spikes, or -1. */
INLINE int64_t fire(const Job *job, Cell *cell, int crossed, int64_t t) {
    const Grid *grid = &cell->formats->V;
    for (int c = 0; c < crossed; c++) {
        int32_t j = cell->crossed[c];
        if (grid->there) {
            cell->V[j] = (double)job->reset * grid->scale;
            cell->Wait[j] = (double)(t + job->refractory + 1);
        } else {
            cell->v[j] = job->reset;
            cell->wait[j] = (float)(t + job->refractory + 1);
        }
        cell->waiting = t + job->refractory;
    }
    cell->before = cell->last;
    cell->last = crossed ? cell->crossed[0] : -1;
    return cell->last;
}
#endif
