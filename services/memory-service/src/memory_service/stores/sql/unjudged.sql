-- Memories of $1 that wait for their whole verdict, at most $2; none while another
-- replica judges those of this agent. The turn lasts until the transaction ends.
SELECT id, content
FROM memories
WHERE
    agent_id = $1
    AND NOT judged
    AND (SELECT pg_try_advisory_xact_lock(hashtext('judging'), hashtext($1)))
LIMIT $2
