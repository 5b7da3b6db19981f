/* What Python hands over for one call; native_job.py declares the same fields in the same order. */
#ifndef STDP_JOB_H
#define STDP_JOB_H
#include <stdint.h>

enum { POISSON, REGULAR, GIVEN };                                   /* coding */
enum { PAIRWISE, LINEAR, SQUARE, ROOT, TABLE };                     /* rule: pair-wise, or w to the power of mu */

typedef struct {
    /* sizes; a row of weights has `padded` floats, a multiple of 16, of which the last are 0 */
    int64_t inputs, neurons, padded, steps, refractory;
    /* encoder: thresholds of the 256 pixel values; regular: 256 rows of `steps` bytes */
    int64_t coding;
    uint64_t stream;
    const uint32_t *thresholds;
    const uint8_t *regular;
    /* potentials, float32 values */
    float rest, reset, threshold, inhibition, decay, theta_plus, theta_decay;
    /* learning */
    float trace_decay, w_max, norm, eta_pre, eta_post;
    int64_t rule;
    const float *powers;      /* of rule TABLE, 4097 */
    const float *trace;       /* trace k steps after a spike, steps + 1 */
} Job;

#endif
