-- Of all agents that thought in the last $1, the least whole: the share of its thoughts
-- that are there and name the one before. Null where none thought. Both ends of the
-- positions are named so that only these are read, however many there are.
SELECT min(one.ratio)::double precision AS lowest_continuity
FROM agents AS a
CROSS JOIN LATERAL (
    SELECT coalesce(max(o.position), 0) AS position
    FROM thoughts AS o
    WHERE o.agent_id = a.agent_id AND o.created_at < now() - $1::interval
) AS before
CROSS JOIN LATERAL (
    SELECT 1 - sum(chain.wrong) / sum(chain.expected) AS ratio
    FROM (
        SELECT
            max(link.seq) - min(link.seq) + 1 AS expected,
            max(link.seq) - min(link.seq) + 1 - count(*) + count(*) FILTER (
                WHERE link.seq = link.seq_before + 1
                AND link.previous_id IS DISTINCT FROM link.id_before
            ) AS wrong
        FROM (
            SELECT
                t.stream, t.seq, t.previous_id,
                lag(t.seq) OVER chain AS seq_before,
                lag(t.id) OVER chain AS id_before
            FROM thoughts AS t
            WHERE
                t.agent_id = a.agent_id
                AND t.position > before.position AND t.position <= a.position
            WINDOW chain AS (PARTITION BY t.stream ORDER BY t.seq)
        ) AS link
        GROUP BY link.stream
    ) AS chain
) AS one
