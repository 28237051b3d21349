/* A PostgreSQL extension whose functions are observed. An ereport(ERROR) in one of them is a longjmp to whoever catches: the
 * main loop of the backend, a PG_TRY of ours, an EXCEPTION block of PL/pgSQL. The functions say which.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "observe.h"

#pragma GCC diagnostic ignored "-Wpedantic" /* the server's macros end in a semicolon of their own */

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(trace_to);
PG_FUNCTION_INFO_V1(trace_stats);
PG_FUNCTION_INFO_V1(watch_aborts);
PG_FUNCTION_INFO_V1(risky);
PG_FUNCTION_INFO_V1(steps);
PG_FUNCTION_INFO_V1(fallback);
PG_FUNCTION_INFO_V1(guarded);
PG_FUNCTION_INFO_V1(guarded_twice);
PG_FUNCTION_INFO_V1(guarded_query);
PG_FUNCTION_INFO_V1(through_query);
PG_FUNCTION_INFO_V1(around_block);
PG_FUNCTION_INFO_V1(rolls_back);
PG_FUNCTION_INFO_V1(sleeps);
PG_FUNCTION_INFO_V1(check_row);

/* Where the postmaster loads us, it observes something itself, before it forks. */
void _PG_init(void)
{
    if (process_shared_preload_libraries_in_progress) {
        OBSERVE_WITH((.name = "preload"));
    }
}

/* ---- What every client calls first and last ---------------------------------------------------------------------- */

/* A file for each backend, or a server's URL. */
Datum trace_to(PG_FUNCTION_ARGS)
{
    const char *where = text_to_cstring(PG_GETARG_TEXT_PP(0));
    bool is_file = strncmp(where, "file:", 5) == 0;
    lf_options options = {LF_OPTIONS_INIT,
                          .exporter = is_file ? where : NULL,
                          .base_url = is_file ? NULL : where,
                          .public_key = "pk-lf-local",
                          .secret_key = "sk-lf-local",
                          .exit_timeout_ms = 20000};
    PG_RETURN_INT32(lf_init(&options));
}

Datum trace_stats(PG_FUNCTION_ARGS)
{
    (void)fcinfo;
    lf_status status = lf_flush(20000);
    lf_stats stats;
    lf_get_stats(&stats);
    PG_RETURN_TEXT_P(cstring_to_text(psprintf("status %d accepted %llu delivered %llu open %llu misused %llu", status,
                                              (unsigned long long)stats.accepted, (unsigned long long)stats.delivered,
                                              (unsigned long long)stats.open, (unsigned long long)stats.misused)));
}

/* ---- For the whole backend: whoever catches, the transaction or its part is rolled back -------------------------- */

static void on_transaction_end(XactEvent event, void *data)
{
    (void)data;
    if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PARALLEL_ABORT)
        OBSERVE_CAUGHT();
}

static void on_subtransaction_end(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *data)
{
    (void)id, (void)parent, (void)data;
    if (event == SUBXACT_EVENT_ABORT_SUB)
        OBSERVE_CAUGHT();
}

/* An extension does this in its _PG_init; here some tests go without. */
Datum watch_aborts(PG_FUNCTION_ARGS)
{
    (void)fcinfo;
    RegisterXactCallback(on_transaction_end, NULL);
    RegisterSubXactCallback(on_subtransaction_end, NULL);
    PG_RETURN_VOID();
}

/* ---- What fails ---------------------------------------------------------------------------------------------------- */

static void fail(int n)
{
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("no %d", n), errdetail("Every third call fails.")));
}

Datum risky(PG_FUNCTION_ARGS)
{
    int32 n = PG_GETARG_INT32(0);
    OBSERVE(n);
    if (n % 3 == 0)
        fail(n);
    OBSERVE_OUTPUT(2 * n);
    PG_RETURN_INT32(2 * n);
}

/* Four observations deep, and at which depth it fails depends on n. */
static int step(int n, int depth)
{
    OBSERVE(n, depth);
    if (n % 3 == 0 && depth == n / 3 % 4)
        fail(n);
    OBSERVE_RETURN(depth == 3 ? n : step(n, depth + 1) + 1);
}

Datum steps(PG_FUNCTION_ARGS)
{
    PG_RETURN_INT32(step(PG_GETARG_INT32(0), 0));
}

Datum fallback(PG_FUNCTION_ARGS)
{
    int32 n = PG_GETARG_INT32(0);
    OBSERVE(n);
    OBSERVE_OUTPUT(-n);
    PG_RETURN_INT32(-n);
}

/* Cancelled by statement_timeout, which is an error like any other. */
Datum sleeps(PG_FUNCTION_ARGS)
{
    float8 seconds = PG_GETARG_FLOAT8(0);
    OBSERVE(seconds);
    (void)DirectFunctionCall1(pg_sleep, Float8GetDatum(seconds));
    OBSERVE_OUTPUT("slept");
    PG_RETURN_VOID();
}

/* A trigger that refuses every third row. */
Datum check_row(PG_FUNCTION_ARGS)
{
    TriggerData *trigger = (TriggerData *)fcinfo->context;
    bool is_null;
    int32 n = DatumGetInt32(heap_getattr(trigger->tg_trigtuple, 1, RelationGetDescr(trigger->tg_relation), &is_null));
    OBSERVE(n);
    (void)DirectFunctionCall1(risky, Int32GetDatum(n));
    OBSERVE_OUTPUT("good");
    return PointerGetDatum(trigger->tg_trigtuple);
}

/* ---- What catches in C --------------------------------------------------------------------------------------------- */

/* The message of the error that was caught; there is none any more. */
static char *take_error(MemoryContext context)
{
    MemoryContextSwitchTo(context);
    ErrorData *error = CopyErrorData();
    FlushErrorState();
    return error->message;
}

static int try_risky(int n)
{
    OBSERVE(n);
    MemoryContext context = CurrentMemoryContext;
    volatile int result = 0;
    PG_TRY();
    {
        result = DatumGetInt32(DirectFunctionCall1(risky, Int32GetDatum(n)));
    }
    PG_CATCH();
    {
        OBSERVE_CAUGHT();
        OBSERVE_ERROR("%s", take_error(context));
        result = DatumGetInt32(DirectFunctionCall1(fallback, Int32GetDatum(n)));
    }
    PG_END_TRY();
    OBSERVE_RETURN((int)result);
}

Datum guarded(PG_FUNCTION_ARGS)
{
    PG_RETURN_INT32(try_risky(PG_GETARG_INT32(0)));
}

/* The inner one catches and fails again, every sixth time for good. */
static int try_and_throw(int n)
{
    OBSERVE(n);
    volatile int result = 0;
    PG_TRY();
    {
        result = step(n, 1);
    }
    PG_CATCH();
    {
        OBSERVE_CAUGHT();
        OBSERVE_ERROR("again");
        PG_RE_THROW();
    }
    PG_END_TRY();
    OBSERVE_RETURN((int)result);
}

Datum guarded_twice(PG_FUNCTION_ARGS)
{
    int32 n = PG_GETARG_INT32(0);
    OBSERVE(n);
    MemoryContext context = CurrentMemoryContext;
    volatile int result = 0;
    PG_TRY();
    {
        result = try_and_throw(n);
    }
    PG_CATCH();
    {
        OBSERVE_CAUGHT();
        if (n % 6 == 0)
            PG_RE_THROW();
        OBSERVE_ERROR("%s", take_error(context));
        result = try_risky(n + 1);
    }
    PG_END_TRY();
    OBSERVE_OUTPUT((int)result);
    PG_RETURN_INT32(result);
}

/* ---- Through SQL --------------------------------------------------------------------------------------------------- */

static int query_number(const char *query, int n)
{
    Oid types[] = {INT4OID};
    Datum values[] = {Int32GetDatum(n)};
    bool is_null;
    if (SPI_execute_with_args(query, 1, types, values, NULL, false, 1) != SPI_OK_SELECT || SPI_processed != 1)
        elog(ERROR, "no row");
    return DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
}

/* Catches nothing: what fails in the query leaves this function too. */
Datum through_query(PG_FUNCTION_ARGS)
{
    int32 n = PG_GETARG_INT32(0);
    OBSERVE(n);
    SPI_connect();
    int result = query_number("SELECT risky($1)", n);
    SPI_finish();
    OBSERVE_OUTPUT(result);
    PG_RETURN_INT32(result);
}

/* A subtransaction in C, as PL/pgSQL makes one for an EXCEPTION block. */
Datum guarded_query(PG_FUNCTION_ARGS)
{
    int32 n = PG_GETARG_INT32(0);
    OBSERVE(n);
    MemoryContext context = CurrentMemoryContext;
    ResourceOwner owner = CurrentResourceOwner;
    volatile int result = 0;
    SPI_connect();
    BeginInternalSubTransaction(NULL);
    PG_TRY();
    {
        result = query_number("SELECT through_query($1)", n);
        ReleaseCurrentSubTransaction();
    }
    PG_CATCH();
    {
        OBSERVE_CAUGHT();
        char *message = take_error(context);
        RollbackAndReleaseCurrentSubTransaction();
        OBSERVE_ERROR("%s", message);
        result = query_number("SELECT fallback($1)", n);
    }
    PG_END_TRY();
    MemoryContextSwitchTo(context);
    CurrentResourceOwner = owner;
    SPI_finish();
    OBSERVE_OUTPUT((int)result);
    PG_RETURN_INT32(result);
}

/* The EXCEPTION block of forgiving() catches; no C code of ours does. */
Datum around_block(PG_FUNCTION_ARGS)
{
    int32 n = PG_GETARG_INT32(0);
    OBSERVE(n);
    SPI_connect();
    int result = query_number("SELECT forgiving($1)", n);
    SPI_finish();
    OBSERVE_OUTPUT(result);
    PG_RETURN_INT32(result);
}

/* A procedure. The transaction is rolled back while the scope is open, which leaves nothing. */
Datum rolls_back(PG_FUNCTION_ARGS)
{
    int32 n = PG_GETARG_INT32(0);
    OBSERVE(n);
    SPI_connect_ext(SPI_OPT_NONATOMIC);
    SPI_rollback();
    int result = query_number("SELECT fallback($1)", n);
    SPI_finish();
    OBSERVE_OUTPUT(result);
    PG_RETURN_VOID();
}
