/* pjmedia's packet loss concealment (pjmedia/plc.h), without delay.
 *
 * pjmedia's own holds every sample back by 5 ms, lost packets or not, so that it can fade into the
 * first lost frame. This one hands good frames on as they are. In place of lost ones it repeats the
 * last period of the voice, as ITU-T G.711 Appendix I does: at full level for 10 ms, silent after
 * 60; the first good frame is faded in. Built into _pjsua2, where the linker finds it before
 * pjmedia's, for all codecs that have no concealment of their own (G.711, G.722, GSM).
 */
#include <pjmedia/plc.h>
#include <pj/assert.h>
#include <pj/errno.h>
#include <pj/pool.h>
#include <string.h>

#define HISTORY_MS 20 /* two frames of G.711: what a codec clears when a call gives it back */
#define COMPARED_MS 5
#define SHORTEST_MS 5 /* periods: 200 Hz; higher voices fit several times */
#define LONGEST_MS 15 /* 66 Hz */
#define FADE_IN_MS 4
#define FULL_MS 10
#define SILENT_MS 60

struct pjmedia_plc {
    unsigned rate_ms; /* samples a millisecond */
    unsigned frame;   /* samples */
    unsigned lost;    /* samples made since the last good frame */
    unsigned period;  /* samples */
    float step;       /* from where the voice was to where the period begins */
    pj_int16_t *history;
    pj_int16_t *cycle; /* one period, whose end leads to its beginning */
};

PJ_DEF(pj_status_t)
pjmedia_plc_create(pj_pool_t *pool, unsigned clock_rate, unsigned samples_per_frame,
                   unsigned options, pjmedia_plc **p_plc)
{
    pjmedia_plc *plc;
    PJ_ASSERT_RETURN(pool && clock_rate >= 1000 && samples_per_frame && p_plc, PJ_EINVAL);
    PJ_ASSERT_RETURN(options == 0, PJ_EINVAL);
    plc = PJ_POOL_ZALLOC_T(pool, pjmedia_plc);
    plc->rate_ms = clock_rate / 1000;
    plc->frame = samples_per_frame;
    plc->history = pj_pool_calloc(pool, HISTORY_MS * plc->rate_ms, sizeof(pj_int16_t));
    plc->cycle = pj_pool_calloc(pool, LONGEST_MS * plc->rate_ms, sizeof(pj_int16_t));
    *p_plc = plc;
    return PJ_SUCCESS;
}

static void remember(pjmedia_plc *plc, const pj_int16_t *frame)
{
    const unsigned size = HISTORY_MS * plc->rate_ms;
    const unsigned added = plc->frame < size ? plc->frame : size;
    memmove(plc->history, plc->history + added, (size - added) * sizeof(pj_int16_t));
    memcpy(plc->history + size - added, frame + plc->frame - added, added * sizeof(pj_int16_t));
}

/* The lag at which the end of the history is most like what was before it. */
static unsigned period_of(const pjmedia_plc *plc)
{
    const int count = COMPARED_MS * plc->rate_ms;
    const pj_int16_t *end = plc->history + HISTORY_MS * plc->rate_ms - count;
    const unsigned longest = LONGEST_MS * plc->rate_ms;
    unsigned lag, best = longest;
    float most = 0;
    for (lag = SHORTEST_MS * plc->rate_ms; lag <= longest; ++lag) {
        const pj_int16_t *before = end - lag;
        float product = 0, energy = 1;
        int i;
        for (i = 0; i < count; ++i) {
            product += (float)end[i] * before[i];
            energy += (float)before[i] * before[i];
        }
        if (product > 0 && product * product > most * energy) {
            most = product * product / energy;
            best = lag;
        }
    }
    return best;
}

static void begin_loss(pjmedia_plc *plc)
{
    const pj_int16_t *end = plc->history + HISTORY_MS * plc->rate_ms;
    const unsigned period = plc->period = period_of(plc);
    const unsigned blended = period / 4;
    unsigned i;
    memcpy(plc->cycle, end - period, period * sizeof(pj_int16_t));
    for (i = 0; i < blended; ++i) { /* into what came before the period: it comes again after it */
        const float weight = (float)(i + 1) / (blended + 1);
        const pj_int16_t *other = end - period - blended + i;
        pj_int16_t *sample = plc->cycle + period - blended + i;
        *sample = (pj_int16_t)(*sample * (1 - weight) + *other * weight);
    }
    plc->step = (float)end[-1] - end[-1 - (int)period];
}

/* Sample number `at` of the loss. */
static float made_up(const pjmedia_plc *plc, unsigned at)
{
    const unsigned full = FULL_MS * plc->rate_ms, silent = SILENT_MS * plc->rate_ms;
    const unsigned slope = plc->period / 4;
    float value = plc->cycle[at % plc->period];
    if (at >= silent)
        return 0;
    if (at < slope)
        value += plc->step * (slope - at) / slope;
    return at < full ? value : value * (silent - at) / (silent - full);
}

static pj_int16_t clipped(float value)
{
    return (pj_int16_t)(value > 32767 ? 32767 : value < -32768 ? -32768 : value);
}

PJ_DEF(pj_status_t) pjmedia_plc_save(pjmedia_plc *plc, pj_int16_t *frame)
{
    PJ_ASSERT_RETURN(plc && frame, PJ_EINVAL);
    if (plc->lost) {
        const unsigned asked = FADE_IN_MS * plc->rate_ms;
        const unsigned faded = asked < plc->frame ? asked : plc->frame;
        unsigned i;
        for (i = 0; i < faded; ++i) {
            const float weight = (float)(i + 1) / (faded + 1);
            frame[i] = clipped(made_up(plc, plc->lost + i) * (1 - weight) + frame[i] * weight);
        }
        plc->lost = 0;
    }
    remember(plc, frame);
    return PJ_SUCCESS;
}

PJ_DEF(pj_status_t) pjmedia_plc_generate(pjmedia_plc *plc, pj_int16_t *frame)
{
    unsigned i;
    PJ_ASSERT_RETURN(plc && frame, PJ_EINVAL);
    if (!plc->lost)
        begin_loss(plc);
    for (i = 0; i < plc->frame; ++i)
        frame[i] = clipped(made_up(plc, plc->lost + i));
    plc->lost += plc->frame;
    remember(plc, frame);
    return PJ_SUCCESS;
}
