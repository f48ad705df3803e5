-- A stream that dozes because something is out; its next thought ends that.
ALTER TABLE streams
ADD COLUMN dozing_since timestamptz,
ADD COLUMN doze_problem text,
-- When it tries again; what is tried again within seconds names no time.
ADD COLUMN dozing_until timestamptz;

-- Notes that settings changed, so that a replica need not read its streams to know.
-- Rows of its own: whoever writes one waits for nobody.
CREATE TABLE stream_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- Whoever writes to the tables may look for them elsewhere than the services do.
CREATE FUNCTION note_stream_change() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO stream_changes DEFAULT VALUES;
    RETURN NULL;
END
$$;

CREATE TRIGGER agents_paused AFTER UPDATE OF paused ON agents
FOR EACH STATEMENT EXECUTE FUNCTION note_stream_change();

CREATE TRIGGER streams_changed
AFTER INSERT OR DELETE OR UPDATE OF enabled, interval_seconds, prompt ON streams
FOR EACH STATEMENT EXECUTE FUNCTION note_stream_change();
