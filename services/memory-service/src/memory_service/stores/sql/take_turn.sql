-- Until the end of the transaction, which waits for Milvus meanwhile: its calls
-- together take less than that.
WITH turn AS (
    SELECT
        pg_advisory_xact_lock(hashtextextended('vectors/' || $1::text, 0)),
        set_config('idle_in_transaction_session_timeout', '20s', true)
)
SELECT timeline() FROM turn
