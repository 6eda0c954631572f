-- The life of a job is guarded here, so that no program can store a step that the table below does not allow:
--   queued → running, cancelled, failed     running → queued (released), running (taken over), completed, failed, cancelled
--   failed → queued (retried)               completed, cancelled → nothing
CREATE TRIGGER job_state_guard BEFORE UPDATE OF state ON job
WHEN NOT (
    (OLD.state = 'queued' AND NEW.state IN ('queued', 'running', 'cancelled', 'failed'))
    OR OLD.state = 'running'
    OR (OLD.state = 'failed' AND NEW.state IN ('failed', 'queued'))
    OR (OLD.state = NEW.state)
)
BEGIN
    SELECT RAISE(ABORT, 'job: this change of state is not allowed');
END;

-- A step never goes back while the job runs; only a retry starts again.
CREATE TRIGGER job_step_guard BEFORE UPDATE OF step ON job
WHEN NEW.step < OLD.step AND NEW.state <> 'queued'
BEGIN
    SELECT RAISE(ABORT, 'job: a step does not go back');
END;

CREATE TRIGGER job_born AFTER INSERT ON job
BEGIN
    INSERT INTO job_event (job_id, state, step, attempt, at)
    VALUES (NEW.id, NEW.state, NEW.step, NEW.attempt, CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END;

CREATE TRIGGER job_moved AFTER UPDATE OF state, step, attempt ON job
WHEN OLD.state <> NEW.state OR OLD.step <> NEW.step OR OLD.attempt <> NEW.attempt
BEGIN
    INSERT INTO job_event (job_id, state, step, attempt, at)
    VALUES (NEW.id, NEW.state, NEW.step, NEW.attempt, CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END;
