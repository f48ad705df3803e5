-- How whole and how alive $1 was in the last $2: of the chains what is missing or names
-- another thought before it; of the cells of each stream those with a thought, and those
-- without one that somebody wanted to be silent for at least half of their time. A cell
-- lasts $3, or twice the stream's interval where that is longer; they are counted back
-- from now, whole ones only. No row comes back when there is no such agent.
WITH span AS MATERIALIZED (
    SELECT
        now() AS ends_at,
        now() - $2::interval AS begins_at,
        coalesce(
            (
                SELECT max(t.position)
                FROM thoughts AS t
                WHERE t.agent_id = $1 AND t.created_at < now() - $2::interval
            ),
            0
        ) AS before,
        (SELECT a.position FROM agents AS a WHERE a.agent_id = $1) AS last
),

recent AS MATERIALIZED (
    SELECT
        t.stream, t.seq, t.previous_id, t.created_at,
        lag(t.seq) OVER chain AS seq_before,
        lag(t.id) OVER chain AS id_before
    FROM thoughts AS t, span
    -- Both ends, so that only these are read, however many there are.
    WHERE
        t.agent_id = $1
        AND t.position > span.before AND t.position <= span.last
    WINDOW chain AS (PARTITION BY t.stream ORDER BY t.seq)
),

chains AS (
    SELECT
        greatest(max(r.seq), max(s.last_seq)) - min(r.seq) + 1 AS expected,
        greatest(max(r.seq), max(s.last_seq)) - min(r.seq) + 1 - count(*) AS lost,
        count(*) FILTER (
            WHERE r.seq = r.seq_before + 1
            AND r.previous_id IS DISTINCT FROM r.id_before
        ) AS misplaced
    FROM recent AS r
    LEFT JOIN streams AS s ON s.agent_id = $1 AND s.stream = r.stream
    GROUP BY r.stream
),

paces AS (
    SELECT
        s.stream,
        greatest($3::interval, make_interval(secs => 2 * s.interval_seconds)) AS lasts,
        greatest(span.begins_at, s.added_at) AS begins_at
    FROM streams AS s, span
    WHERE s.agent_id = $1
),

cells AS (
    SELECT
        p.stream,
        number,
        span.ends_at - p.lasts * number AS ends_at,
        p.lasts
    FROM paces AS p, span,
        generate_series(
            0,
            floor(
                extract(EPOCH FROM span.ends_at - p.begins_at)
                / extract(EPOCH FROM p.lasts)
            )::int - 1
        ) AS number
),

thought AS (
    SELECT DISTINCT
        r.stream,
        floor(
            extract(EPOCH FROM span.ends_at - r.created_at)
            / extract(EPOCH FROM p.lasts)
        )::int AS number
    FROM recent AS r
    JOIN paces AS p ON p.stream = r.stream
    CROSS JOIN span
),

silent AS (
    SELECT
        g.stream,
        range_agg(
            tstzrange(
                g.began_at,
                -- A clock that was set back meanwhile ends it at once.
                CASE WHEN g.ended_at IS NOT NULL
                    THEN greatest(g.began_at, g.ended_at) END
            )
        ) AS times
    FROM gaps AS g, span
    WHERE g.agent_id = $1 AND (g.ended_at IS NULL OR g.ended_at > span.begins_at)
    GROUP BY g.stream
),

judged AS (
    SELECT
        t.number IS NOT NULL AS alive,
        t.number IS NULL AND coalesce(
            (
                SELECT sum(upper(part) - lower(part))
                FROM unnest(
                    s.times * tstzmultirange(
                        tstzrange(c.ends_at - c.lasts, c.ends_at)
                    )
                ) AS part
            ) >= c.lasts / 2,
            false
        ) AS excused
    FROM cells AS c
    LEFT JOIN thought AS t ON t.stream = c.stream AND t.number = c.number
    LEFT JOIN silent AS s ON s.stream = c.stream
)

SELECT
    (SELECT coalesce(sum(expected), 0)::bigint FROM chains) AS thoughts_expected,
    (SELECT coalesce(sum(lost), 0)::bigint FROM chains) AS thoughts_lost,
    (SELECT coalesce(sum(misplaced), 0)::bigint FROM chains) AS thoughts_misplaced,
    (SELECT count(*) FROM judged) AS cells,
    (SELECT count(*) FROM judged WHERE alive) AS cells_alive,
    (SELECT count(*) FROM judged WHERE excused) AS cells_excused,
    (
        SELECT count(*)
        FROM loops AS l, span
        WHERE l.agent_id = $1 AND l.broken_at >= span.begins_at
    ) AS loops_broken
FROM agents AS a
WHERE a.agent_id = $1
