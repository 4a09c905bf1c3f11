-- First of the parts that say how a job's ties are loosened when it has ended for good: functions by their kind.

local ties = {}
