-- Every replica that lives has seen them long ago.
DELETE FROM stream_changes WHERE changed_at < now() - interval '1 minute'
