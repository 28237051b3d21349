-- The functions of postgres.c, from the library :'library'.
\set ON_ERROR_STOP on
CREATE FUNCTION trace_to(text) RETURNS int AS :'library' LANGUAGE C STRICT;
CREATE FUNCTION trace_stats() RETURNS text AS :'library' LANGUAGE C STRICT;
CREATE FUNCTION watch_aborts() RETURNS void AS :'library' LANGUAGE C STRICT;
CREATE FUNCTION risky(int) RETURNS int AS :'library' LANGUAGE C STRICT;
CREATE FUNCTION steps(int) RETURNS int AS :'library' LANGUAGE C STRICT;
CREATE FUNCTION fallback(int) RETURNS int AS :'library' LANGUAGE C STRICT;
CREATE FUNCTION guarded(int) RETURNS int AS :'library' LANGUAGE C STRICT;
CREATE FUNCTION guarded_twice(int) RETURNS int AS :'library' LANGUAGE C STRICT;
CREATE FUNCTION guarded_query(int) RETURNS int AS :'library' LANGUAGE C STRICT;
CREATE FUNCTION through_query(int) RETURNS int AS :'library' LANGUAGE C STRICT;
CREATE FUNCTION around_block(int) RETURNS int AS :'library' LANGUAGE C STRICT;
CREATE FUNCTION sleeps(float8) RETURNS void AS :'library' LANGUAGE C STRICT;
CREATE PROCEDURE rolls_back(int) AS :'library' LANGUAGE C;

CREATE FUNCTION forgiving(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    RETURN risky(n);
EXCEPTION WHEN data_exception THEN
    RETURN fallback(n);
END $$;

-- The first of n, n + 1, ... that works, out of three.
CREATE FUNCTION retried(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN n .. n + 2 LOOP
        BEGIN
            RETURN steps(i);
        EXCEPTION WHEN data_exception THEN
            NULL;
        END;
    END LOOP;
END $$;

CREATE TABLE numbers (n int);
CREATE FUNCTION check_row() RETURNS trigger AS :'library' LANGUAGE C;
CREATE TRIGGER check_row BEFORE INSERT ON numbers FOR EACH ROW EXECUTE FUNCTION check_row();
