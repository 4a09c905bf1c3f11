#!lua flags=allow-oom
-- First of the files of scripts that drop what a stream keeps no longer: they go on where memory has run out (allow-oom), for they are who
-- frees it.
