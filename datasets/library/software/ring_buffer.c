/*
 * ring_buffer.c - a queue of bytes between an interrupt and the main program
 *
 * A serial port delivers characters whenever it likes; the main program fetches
 * them when it has time. In between lies a block of memory of fixed size which is
 * used as if its end were joined to its beginning. Nothing is ever moved, nothing
 * is allocated.
 *
 * With exactly one producer and exactly one consumer no lock is needed: only the
 * producer writes `head`, only the consumer writes `tail`. The size has to be a
 * power of two, so that wrapping around is a bitwise AND.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_SIZE 256u
#define RING_MASK (RING_SIZE - 1u)

struct ring {
    uint8_t data[RING_SIZE];
    atomic_uint head;    /* next place to write; counts up for ever */
    atomic_uint tail;    /* next place to read; counts up for ever  */
    unsigned    dropped; /* bytes that found no room                */
};

/* Empties the queue. Call before the interrupt is switched on. */
void ring_init(struct ring *r)
{
    atomic_init(&r->head, 0);
    atomic_init(&r->tail, 0);
    r->dropped = 0;
}

/* Number of bytes waiting. Correct even after the counters have overflowed,
 * since unsigned subtraction wraps as well. */
size_t ring_count(struct ring *r)
{
    return atomic_load_explicit(&r->head, memory_order_acquire)
         - atomic_load_explicit(&r->tail, memory_order_acquire);
}

/* Called by the producer. Returns false, and counts a loss, if it is full: the
 * newest byte is given up, never one that is already in the queue. */
bool ring_put(struct ring *r, uint8_t byte)
{
    unsigned head = atomic_load_explicit(&r->head, memory_order_relaxed);
    unsigned tail = atomic_load_explicit(&r->tail, memory_order_acquire);

    if (head - tail == RING_SIZE) {
        r->dropped++;
        return false;
    }
    r->data[head & RING_MASK] = byte;
    /* The byte must be visible before the new head is. */
    atomic_store_explicit(&r->head, head + 1u, memory_order_release);
    return true;
}

/* Called by the consumer. Returns false if nothing is waiting. */
bool ring_get(struct ring *r, uint8_t *byte)
{
    unsigned tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    unsigned head = atomic_load_explicit(&r->head, memory_order_acquire);

    if (head == tail)
        return false;
    *byte = r->data[tail & RING_MASK];
    atomic_store_explicit(&r->tail, tail + 1u, memory_order_release);
    return true;
}
