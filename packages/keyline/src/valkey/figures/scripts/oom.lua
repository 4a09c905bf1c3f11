#!lua flags=allow-oom
-- First part of the scripts that count: they go on where memory has run out, as nobody would see then what is wrong.
