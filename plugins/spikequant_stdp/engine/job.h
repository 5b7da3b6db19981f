/* What Python hands over for one call; native_job.py declares the same fields in the same order. */
#ifndef STDP_JOB_H
#define STDP_JOB_H
#include <stdint.h>

enum { POISSON, REGULAR, GIVEN };               /* coding; GIVEN: spikes instead of images */
enum { PAIRWISE, LINEAR, SQUARE, ROOT, TABLE }; /* rule: pair-wise, or w to the power of mu */
enum { TRUNCATE, NEAREST, DRAWN };              /* rounding: TR, RN, SR */

/* Constants of the network. */
typedef struct {
    /* sizes; a row of weights has `padded` floats, a multiple of 16, of which the last are 0 */
    int64_t inputs, neurons, padded, steps, refractory, conductance;
    /* encoder: thresholds of the 256 pixel values; regular: 256 rows of `steps` bytes */
    int64_t coding;
    uint64_t stream;
    const uint32_t *thresholds;
    const uint8_t *regular;
    /* potentials, float32 values */
    float rest, reset, threshold, inhibition, decay, g_decay, theta_plus, theta_decay;
    /* learning */
    float trace_decay, w_max, norm, eta_pre, eta_post;
    int64_t rule;
    const float *powers; /* of rule TABLE, 4097 */
    const float *trace;  /* trace k steps after a spike, steps + 1 */
} Job;

/* Format of a variable; codes are value * scale. */
typedef struct {
    int64_t there, rounding, wrap;
    uint64_t key;  /* of the random numbers, without the draw */
    double scale, step, low, high;
    double decay;  /* factor per step, a multiple of 2**-16 (V and g) */
} Grid;

typedef struct {
    Grid w, V, Vth, g;
    int64_t stored;       /* weights lie on the grid; else they are floats that are rounded at each use */
    int64_t exact;        /* a step of V, and of g, is exact in doubles up to its rounding */
    uint64_t norm_key;
    double threshold, theta_plus; /* of a quantized threshold */
    int64_t chance_bits;  /* of V before it is rounded by SR, in units of its step, if it is exact and they are few */
    const float *chance;  /* inference, may be NULL: (steps, padded), what SR adds to V before the floor */
} Formats;

#endif
