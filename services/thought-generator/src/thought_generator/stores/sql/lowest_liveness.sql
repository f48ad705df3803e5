-- Of all agents, the least alive: the share of its streams that have thought within $1,
-- or twice their interval where that is longer. A stream that is younger, or that
-- somebody wanted to be silent at some time since, does not count. Null where none does.
WITH judged AS (
    SELECT s.agent_id, coalesce(s.last_beat_at > since.at, false) AS alive
    FROM streams AS s
    CROSS JOIN LATERAL (
        SELECT
            now() - greatest(
                $1::interval, make_interval(secs => 2 * s.interval_seconds)
            ) AS at
    ) AS since
    WHERE
        s.added_at < since.at
        AND NOT EXISTS (
            SELECT 1
            FROM gaps AS g
            WHERE
                g.agent_id = s.agent_id AND g.stream = s.stream
                AND (g.ended_at IS NULL OR g.ended_at > since.at)
        )
),

agents_alive AS (
    SELECT avg(alive::int) AS ratio FROM judged GROUP BY agent_id
)

SELECT min(ratio)::double precision AS lowest_liveness FROM agents_alive
