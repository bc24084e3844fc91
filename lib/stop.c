#include "stop.h"

#include <signal.h>
#include <stddef.h>

enum { SIGNALS = 2 };
static const int signals[SIGNALS] = {SIGINT, SIGTERM};
static struct sigaction before[SIGNALS];
static volatile sig_atomic_t caught[SIGNALS], asked;

static void on_signal(int sig)
{
    asked = 1;
    for (int i = 0; i < SIGNALS; i++)
        if (sig == signals[i])
            sigaction(sig, &before[i], NULL);
}

void ps_stop_catch(void)
{
    const struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    for (int i = 0; i < SIGNALS; i++)
        if (sigaction(signals[i], NULL, &before[i]) == 0 && before[i].sa_handler != SIG_IGN) {
            caught[i] = 1;
            sigaction(signals[i], &act, NULL);
        }
}

void ps_stop_restore(void)
{
    for (int i = 0; i < SIGNALS; i++)
        if (caught[i]) {
            sigaction(signals[i], &before[i], NULL);
            caught[i] = 0;
        }
}

int ps_stopped(void)
{
    return asked != 0;
}
