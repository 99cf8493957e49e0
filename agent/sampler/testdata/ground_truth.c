/* A program whose profile is known: 60 % of its work is in work_a, 30 % in work_b, 10 % in work_c, each reached through
 * DEPTH calls. It stops after a given CPU time and prints what it used, in seconds.
 *
 *   ground_truth CPU_SECONDS [DEPTH]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SEPARATE __attribute__((noinline, noclone))

static volatile unsigned long sink;

static inline __attribute__((always_inline)) unsigned long mix(unsigned long value) {
    return value * 6364136223846793005UL + 1442695040888963407UL; /* the inlined line */
}

#define WORK(name)                                                \
    SEPARATE void name(unsigned long units) {                     \
        unsigned long value = units;                              \
        for (unsigned long n = units * 1000; n > 0; n--)          \
            value = mix(value);                                   \
        sink = value;                                             \
    }

WORK(work_a)
WORK(work_b)
WORK(work_c)

static double cpu_seconds(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec + used.tv_nsec * 1e-9;
}

/* Rounds differ in length, so that they never run in step with the sampling clock. */
SEPARATE void rounds(double limit) {
    unsigned long random = 1;
    while (cpu_seconds() < limit) {
        random = mix(random);
        unsigned long units = 5 + (random >> 60);
        work_a(6 * units);
        work_b(3 * units);
        work_c(units);
    }
}

SEPARATE int descend(int depth, double limit) {
    volatile int mark = depth;
    if (depth > 0)
        descend(depth - 1, limit);
    else
        rounds(limit);
    return mark;
}

int main(int count, char **arguments) {
    double limit = count > 1 ? atof(arguments[1]) : 1;
    sink += descend(count > 2 ? atoi(arguments[2]) : 24, limit);
    printf("%.6f\n", cpu_seconds());
    return 0;
}
