#include "gate.h"

#include "monitor.h"

static struct {
    lf__monitor monitor;
    unsigned forks; /* of this process and those before it */
} gates = {.monitor = LF__MONITOR_INIT};

/* The gates that this thread is in, innermost last. A hook that calls us may pass through another one. */
enum { GATE_DEPTH = 2 };
static __thread lf__gate *gate_mine[GATE_DEPTH] __attribute__((tls_model("initial-exec")));
static __thread unsigned gate_depth __attribute__((tls_model("initial-exec")));

static void gate_catch_up(lf__gate *gate)
{
    if (gate->forks != gates.forks) {
        gate->forks = gates.forks;
        gate->inside = 0;
        for (unsigned i = 0; i < gate_depth && i < GATE_DEPTH; i++)
            gate->inside += gate_mine[i] == gate;
    }
}

bool lf__gate_enter_log(lf__gate *gate, lf__log_hook *out_log, void **out_data)
{
    lf__monitor_lock(&gates.monitor);
    *out_log = gate->log;
    *out_data = gate->log_data;
    gate_catch_up(gate);
    bool ok = !gate->closed;
    gate->inside += ok;
    lf__monitor_unlock(&gates.monitor);
    if (ok && gate_depth < GATE_DEPTH)
        gate_mine[gate_depth] = gate;
    gate_depth += ok;
    return ok;
}

bool lf__gate_enter(lf__gate *gate)
{
    lf__log_hook log;
    void *data;
    return lf__gate_enter_log(gate, &log, &data);
}

void lf__gate_leave(lf__gate *gate)
{
    lf__monitor_lock(&gates.monitor);
    gate_catch_up(gate);
    gate_depth--;
    gate->inside -= gate->inside != 0;
    if (gate->closed)
        lf__monitor_tell(&gates.monitor);
    lf__monitor_unlock(&gates.monitor);
}

lf__log_hook lf__gate_log(lf__gate *gate, void **out_data)
{
    lf__monitor_lock(&gates.monitor);
    lf__log_hook log = gate->log;
    *out_data = gate->log_data;
    lf__monitor_unlock(&gates.monitor);
    return log;
}

void lf__gate_set_log(lf__gate *gate, lf__log_hook log, void *data)
{
    lf__monitor_lock(&gates.monitor);
    gate->log = log;
    gate->log_data = data;
    lf__monitor_unlock(&gates.monitor);
}

static unsigned gate_inside_here(const lf__gate *gate)
{
    unsigned count = 0;
    for (unsigned i = 0; i < gate_depth && i < GATE_DEPTH; i++)
        count += gate_mine[i] == gate;
    return count;
}

bool lf__gate_close(lf__gate *gate, uint64_t until_ns)
{
    unsigned mine = gate_inside_here(gate);
    lf__monitor_lock(&gates.monitor);
    gate_catch_up(gate);
    gate->closed = true;
    while (gate->inside > mine && lf__monitor_wait(&gates.monitor, until_ns))
        continue;
    bool empty = gate->inside <= mine;
    lf__monitor_unlock(&gates.monitor);
    return empty;
}

void lf__gate_open(lf__gate *gate)
{
    lf__monitor_lock(&gates.monitor);
    gate->closed = false;
    lf__monitor_unlock(&gates.monitor);
}

void lf__gate_before_fork(void)
{
    lf__monitor_lock(&gates.monitor);
}

void lf__gate_after_fork_parent(void)
{
    lf__monitor_unlock(&gates.monitor);
}

void lf__gate_after_fork_child(void)
{
    lf__monitor_after_fork_child(&gates.monitor);
    gates.forks++;
}
