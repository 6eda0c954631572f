-- The life of a job is guarded here, so that no program can store a step that the table below does not allow:
--   queued → running, cancelled, failed     running → queued (released), running (taken over), completed, failed, cancelled
--   failed → queued (retried)               completed, cancelled → nothing
CREATE FUNCTION job_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (
        (OLD.state = 'queued' AND NEW.state IN ('queued', 'running', 'cancelled', 'failed'))
        OR OLD.state = 'running'
        OR (OLD.state = 'failed' AND NEW.state IN ('failed', 'queued'))
        OR (OLD.state = NEW.state)
    ) THEN
        RAISE EXCEPTION 'job: this change of state is not allowed' USING ERRCODE = 'check_violation';
    END IF;
    -- A step never goes back while the job runs; only a retry starts again.
    IF NEW.step < OLD.step AND NEW.state <> 'queued' THEN
        RAISE EXCEPTION 'job: a step does not go back' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER job_guard BEFORE UPDATE ON job FOR EACH ROW EXECUTE FUNCTION job_guard();

CREATE FUNCTION job_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO job_event (job_id, state, step, attempt, at)
    VALUES (NEW.id, NEW.state, NEW.step, NEW.attempt, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
    RETURN NULL;
END $$;

CREATE TRIGGER job_born AFTER INSERT ON job FOR EACH ROW EXECUTE FUNCTION job_moved();

CREATE TRIGGER job_moved AFTER UPDATE ON job FOR EACH ROW
WHEN (OLD.state <> NEW.state OR OLD.step <> NEW.step OR OLD.attempt <> NEW.attempt)
EXECUTE FUNCTION job_moved();
