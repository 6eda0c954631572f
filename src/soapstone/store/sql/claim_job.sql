-- Take the next job that may run, and fence off whoever had it before by the next attempt number.
-- A job may run when it is due and queued, or when its worker has let the lease run out. Jobs of one list run one after
-- another in the order of their numbers; a job that is not due yet holds nobody up, unless it has begun and only waits
-- to go on; one that passes needs its list no more, so neither waits it
-- nor does anybody wait for it. A job that is paused is not taken. Among accounts, the one with the fewest jobs under way comes first, of several the one that was served
-- longest ago. A job that was to begin at once is due at its submission, and so at any time since: the clock may have
-- been set back. The caller serialises claims (SQLite: the writer's place; PostgreSQL: a lock). An attempt that is taken
-- over has died: a worker leaves the jobs alone that it works on itself, since what it does may hold up the
-- renewal of its leases.
UPDATE job
SET state = 'running', attempt = attempt + 1, worker = :worker, lease_until = :lease_until,
    started_at = coalesce(started_at, :now), error = '',
    deaths = CASE WHEN state = 'running' THEN deaths + 1 ELSE 0 END
WHERE id = (
    SELECT candidate.id
    FROM job AS candidate
    WHERE candidate.finished_at IS NULL
      AND candidate.kind IN :kinds
      AND candidate.id NOT IN :but
      AND (
          (
              candidate.state = 'queued' AND NOT candidate.paused
              AND (candidate.due_at <= :now OR candidate.due_at <= candidate.submitted_at)
          )
          OR (candidate.state = 'running' AND candidate.lease_until < :system_now)
      )
      AND (candidate.passes OR NOT EXISTS (
          SELECT 1
          FROM job AS other
          WHERE other.finished_at IS NULL
            AND NOT other.passes
            AND other.list_id = candidate.list_id
            AND other.id <> candidate.id
            AND (
                other.state = 'running'
                OR (
                    other.state = 'queued' AND other.id < candidate.id
                    AND (other.due_at <= :now OR other.due_at <= other.submitted_at OR other.attempt > 0)
                    AND NOT (other.paused AND other.attempt = 0)
                )
            )
      ))
    ORDER BY
        (
            SELECT count(*)
            FROM job AS busy
            WHERE busy.finished_at IS NULL AND busy.state = 'running' AND busy.account_id = candidate.account_id
        ),
        (SELECT coalesce(max(served.started_at), 0) FROM job AS served WHERE served.account_id = candidate.account_id),
        candidate.id
    LIMIT 1
)
-- Once more, for PostgreSQL looks at this again when it had to wait for the row: a chunk that ended meanwhile has
-- prolonged the lease.
AND finished_at IS NULL AND (state = 'queued' OR lease_until < :system_now)
RETURNING id
