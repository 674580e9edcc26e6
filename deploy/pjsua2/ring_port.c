/* An audio port of pjmedia's conference bridge with no Python in it.
 *
 * Each direction is a ring of 20 ms frames (16-bit mono PCM). The bridge's thread puts what the peer
 * sends into one and takes what the peer shall hear from the other; Python reads and fills them from
 * its own thread, some frames at a time, so that no frame waits for the interpreter. One thread a
 * side and no lock: counters only grow, and a frame counts as taken by one compare-and-swap, so that
 * what Python takes back was certainly not heard. Built into _pjsua2 and called through ctypes
 * (media_worker/sip/ring.py, which knows the first fields of `pbxai_ring`).
 */
#include <pjsua-lib/pjsua.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RING_FRAMES 128 /* 2.56 s */
#define KEPT_TICKS 256  /* 5.12 s */
#define FRAME_NS 20000000LL
#define LOAD(at) __atomic_load_n(at, __ATOMIC_ACQUIRE)
#define STORE(at, value) __atomic_store_n(at, value, __ATOMIC_RELEASE)

typedef struct pbxai_ring {
    int64_t received; /* frames from the peer */
    int64_t queued;   /* frames that Python gave */
    int64_t taken;    /* of them: handed to the bridge, or taken back */
    int64_t silent;   /* frames asked for while none was queued */
    int64_t late;     /* frames asked for more than a frame's time late */
    int64_t taken_at; /* CLOCK_MONOTONIC, ns: when the last queued frame was taken */
    int64_t asked_at; /* when one was last asked for; 0: the clock starts anew */
    int64_t is_open;  /* 0: no audio either way */
    int64_t is_paused;
    /* from here on not known to Python */
    int64_t kept_ticks;
    int32_t references;
    uint32_t frame_bytes;
    char *from_peer, *to_peer, *last_given, *kept;
} pbxai_ring;

struct ring_port {
    pjmedia_port base;
    pj_pool_t *pool;
    pbxai_ring *ring;
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000LL + now.tv_nsec;
}

static char *slot_of(const pbxai_ring *ring, char *frames, int64_t number)
{
    return frames + (size_t)(number % RING_FRAMES) * ring->frame_bytes;
}

static size_t kept_bytes(const pbxai_ring *ring)
{
    return sizeof(int64_t) + 2 * (size_t)ring->frame_bytes;
}

/* NULL without memory. */
PJ_DECL(pbxai_ring *) pbxai_ring_create(unsigned frame_bytes);
PJ_DEF(pbxai_ring *) pbxai_ring_create(unsigned frame_bytes)
{
    const size_t size = (size_t)frame_bytes * RING_FRAMES;
    char *memory = calloc(1, sizeof(pbxai_ring) + size * 2 + frame_bytes);
    pbxai_ring *ring = (pbxai_ring *)memory;
    if (!ring)
        return NULL;
    ring->references = 1;
    ring->frame_bytes = frame_bytes;
    ring->from_peer = memory + sizeof(pbxai_ring);
    ring->to_peer = ring->from_peer + size;
    ring->last_given = ring->to_peer + size;
    return ring;
}

PJ_DECL(void) pbxai_ring_release(pbxai_ring *ring);
PJ_DEF(void) pbxai_ring_release(pbxai_ring *ring)
{
    if (__atomic_sub_fetch(&ring->references, 1, __ATOMIC_ACQ_REL) == 0) {
        free(ring->kept);
        free(ring);
    }
}

/* Keep from now on what goes each way at each tick, for a recording; 0 without memory. */
PJ_DECL(int) pbxai_ring_keep(pbxai_ring *ring);
PJ_DEF(int) pbxai_ring_keep(pbxai_ring *ring)
{
    if (!ring->kept)
        STORE(&ring->kept, (char *)calloc(KEPT_TICKS, kept_bytes(ring)));
    return ring->kept != NULL;
}

/* Python's side: frames accepted, as many as there is room for. */
PJ_DECL(int) pbxai_ring_queue(pbxai_ring *ring, const char *pcm, int frames);
PJ_DEF(int) pbxai_ring_queue(pbxai_ring *ring, const char *pcm, int frames)
{
    const int64_t queued = ring->queued;
    const int64_t room = RING_FRAMES - (queued - LOAD(&ring->taken));
    int i, count = frames < room ? frames : (int)room;
    for (i = 0; i < count; ++i)
        memcpy(slot_of(ring, ring->to_peer, queued + i), pcm + (size_t)i * ring->frame_bytes,
               ring->frame_bytes);
    STORE(&ring->queued, queued + count);
    return count;
}

/* Python's side: drop what is queued; how many frames had been taken before. */
PJ_DECL(int64_t) pbxai_ring_take_back(pbxai_ring *ring);
PJ_DEF(int64_t) pbxai_ring_take_back(pbxai_ring *ring)
{
    return __atomic_exchange_n(&ring->taken, ring->queued, __ATOMIC_ACQ_REL);
}

/* Copy `size` bytes each of what has number *at and on, and move *at behind it; what is older than
 * the ring of `length` holds is gone, and the slot after the last may be in work. */
static int copy_out(const char *from, int64_t end, int64_t length, size_t size, int64_t *at,
                    char *out, int most)
{
    int count;
    if (end - *at > length - 2)
        *at = end - (length - 2);
    for (count = 0; *at < end && count < most; ++*at, ++count)
        memcpy(out + (size_t)count * size, from + (size_t)(*at % length) * size, size);
    return count;
}

/* Python's side: frames from the peer, from number *at on. */
PJ_DECL(int) pbxai_ring_copy(const pbxai_ring *ring, int64_t *at, char *out, int most);
PJ_DEF(int) pbxai_ring_copy(const pbxai_ring *ring, int64_t *at, char *out, int most)
{
    return copy_out(ring->from_peer, LOAD(&ring->received), RING_FRAMES, ring->frame_bytes, at, out,
                    most);
}

/* Python's side: the same of many rings at once, `most` places each in `out`. */
PJ_DECL(void)
pbxai_rings_copy(const pbxai_ring *const *rings, int64_t *at, int *counts, int number, char *out,
                 int most);
PJ_DEF(void)
pbxai_rings_copy(const pbxai_ring *const *rings, int64_t *at, int *counts, int number, char *out,
                 int most)
{
    int i;
    for (i = 0; i < number; ++i) {
        counts[i] = pbxai_ring_copy(rings[i], &at[i], out, most);
        out += (size_t)most * rings[i]->frame_bytes;
    }
}

/* Python's side: kept ticks, from number *at on: each its time (CLOCK_MONOTONIC, ns, native 64 bit),
 * the peer's frame, ours. */
PJ_DECL(int) pbxai_ring_copy_kept(const pbxai_ring *ring, int64_t *at, char *out, int most);
PJ_DEF(int) pbxai_ring_copy_kept(const pbxai_ring *ring, int64_t *at, char *out, int most)
{
    const char *kept = LOAD(&ring->kept);
    if (!kept)
        return 0;
    return copy_out(kept, LOAD(&ring->kept_ticks), KEPT_TICKS, kept_bytes(ring), at, out, most);
}

static void keep_tick(pbxai_ring *ring, char *kept, const char *from_peer)
{
    char *slot = kept + (size_t)(ring->kept_ticks % KEPT_TICKS) * kept_bytes(ring);
    const int64_t now = now_ns();
    memcpy(slot, &now, sizeof now);
    memcpy(slot + sizeof now, from_peer, ring->frame_bytes);
    memcpy(slot + sizeof now + ring->frame_bytes, ring->last_given, ring->frame_bytes);
    STORE(&ring->kept_ticks, ring->kept_ticks + 1);
}

/* The bridge's side, after pbxai_ring_give at each tick: 20 ms from the peer; NULL is silence. */
PJ_DECL(void) pbxai_ring_receive(pbxai_ring *ring, const char *pcm);
PJ_DEF(void) pbxai_ring_receive(pbxai_ring *ring, const char *pcm)
{
    char *slot = slot_of(ring, ring->from_peer, ring->received);
    char *kept = LOAD(&ring->kept);
    if (!LOAD(&ring->is_open))
        return;
    if (pcm)
        memcpy(slot, pcm, ring->frame_bytes);
    else
        memset(slot, 0, ring->frame_bytes);
    if (kept)
        keep_tick(ring, kept, slot);
    STORE(&ring->received, ring->received + 1);
}

static int take_queued(pbxai_ring *ring, char *out, int64_t now)
{
    int64_t number = LOAD(&ring->taken);
    if (number >= LOAD(&ring->queued)) {
        STORE(&ring->silent, ring->silent + 1);
        return 0;
    }
    memcpy(out, slot_of(ring, ring->to_peer, number), ring->frame_bytes);
    if (!__atomic_compare_exchange_n(&ring->taken, &number, number + 1, 0, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return 0; /* taken back meanwhile */
    STORE(&ring->taken_at, now);
    return 1;
}

/* The bridge's side: 20 ms for the peer. */
PJ_DECL(void) pbxai_ring_give(pbxai_ring *ring, char *out);
PJ_DEF(void) pbxai_ring_give(pbxai_ring *ring, char *out)
{
    const int64_t now = now_ns();
    const int64_t waited = now - ring->asked_at;
    const int is_open = LOAD(&ring->is_open) != 0;
    if (is_open && ring->asked_at && waited >= 2 * FRAME_NS)
        STORE(&ring->late, ring->late + waited / FRAME_NS - 1);
    ring->asked_at = is_open ? now : 0;
    if (!is_open || LOAD(&ring->is_paused) || !take_queued(ring, out, now))
        memset(out, 0, ring->frame_bytes);
    if (LOAD(&ring->kept))
        memcpy(ring->last_given, out, ring->frame_bytes);
}

static pj_status_t put_frame(pjmedia_port *port, pjmedia_frame *frame)
{
    pbxai_ring *ring = ((struct ring_port *)port)->ring;
    const int is_audio = frame->type == PJMEDIA_FRAME_TYPE_AUDIO && frame->size == ring->frame_bytes;
    pbxai_ring_receive(ring, is_audio ? (const char *)frame->buf : NULL);
    return PJ_SUCCESS;
}

static pj_status_t get_frame(pjmedia_port *port, pjmedia_frame *frame)
{
    pbxai_ring *ring = ((struct ring_port *)port)->ring;
    frame->type = PJMEDIA_FRAME_TYPE_AUDIO;
    frame->size = ring->frame_bytes;
    pbxai_ring_give(ring, (char *)frame->buf);
    return PJ_SUCCESS;
}

static pj_status_t on_destroy(pjmedia_port *port)
{
    struct ring_port *self = (struct ring_port *)port;
    pj_pool_t *pool = self->pool;
    pbxai_ring_release(self->ring);
    pj_pool_release(pool);
    return PJ_SUCCESS;
}

/* Join the bridge. The port holds the ring until the bridge has let go of it. */
PJ_DECL(pj_status_t)
pbxai_port_create(pbxai_ring *ring, const char *name, unsigned clock_rate, pjmedia_port **port,
                  int *slot);
PJ_DEF(pj_status_t)
pbxai_port_create(pbxai_ring *ring, const char *name, unsigned clock_rate, pjmedia_port **port,
                  int *slot)
{
    pj_pool_t *pool = pjsua_pool_create("ringport%p", 1024, 512);
    struct ring_port *self;
    pj_str_t title;
    pj_status_t status;
    if (!pool)
        return PJ_ENOMEM;
    self = PJ_POOL_ZALLOC_T(pool, struct ring_port);
    self->pool = pool;
    self->ring = ring;
    pj_strdup2_with_null(pool, &title, name);
    pjmedia_port_info_init(&self->base.info, &title, PJMEDIA_SIG_CLASS_APP('R', 'N', 'G'),
                           clock_rate, 1, 16, ring->frame_bytes / 2);
    self->base.put_frame = &put_frame;
    self->base.get_frame = &get_frame;
    self->base.on_destroy = &on_destroy;
    status = pjmedia_port_init_grp_lock(&self->base, pool, NULL);
    if (status != PJ_SUCCESS) {
        pj_pool_release(pool);
        return status;
    }
    __atomic_add_fetch(&ring->references, 1, __ATOMIC_ACQ_REL);
    status = pjsua_conf_add_port(pool, &self->base, slot);
    if (status != PJ_SUCCESS) {
        pjmedia_port_destroy(&self->base);
        return status;
    }
    *port = &self->base;
    return PJ_SUCCESS;
}

/* Leave the bridge; it lets go of the port on its own next tick. */
PJ_DECL(void) pbxai_port_destroy(pjmedia_port *port, int slot);
PJ_DEF(void) pbxai_port_destroy(pjmedia_port *port, int slot)
{
    pjsua_conf_remove_port(slot);
    pjmedia_port_destroy(port);
}
