#!/bin/sh
# A script is a job as it is. This one prints, and reports a value:
#   cit-push --set upto=3 examples/count.sh
set -eu
for number in $(seq "${upto:-3}"); do
    echo "$number"
    sleep 0.2
done
# A line `name <tab> value` in this file becomes a data record of the job.
printf 'counted\t%s\n' "$number" >>"$CIT_DATA"
