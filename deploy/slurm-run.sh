#!/usr/bin/env bash
# A folder of scans over a Slurm cluster, one part a task:  sbatch --array=1-7 deploy/slurm-run.sh BUNDLE SCANS OUTPUT
# A task that is killed, or submitted again, goes on where it was. Not a medical device.
#SBATCH --job-name=nerone
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
set -euo pipefail
[[ $# -eq 3 ]] || { echo "usage: sbatch --array=1-N $0 BUNDLE SCANS OUTPUT" >&2; exit 2; }
: "${SLURM_ARRAY_TASK_ID:?submit it with --array=1-N}"
count=${SLURM_ARRAY_TASK_COUNT:?submit it with --array=1-N}
if [[ ${SLURM_ARRAY_TASK_MIN:-1} != 1 || ${SLURM_ARRAY_TASK_MAX:-$count} != "$count" ]]; then
    echo "the array has to be 1-N without gaps, so that every part is run" >&2
    exit 2
fi
exec nerone run "$1" "$2" -o "$3" --shard "$SLURM_ARRAY_TASK_ID/$count" --resume --threads "${SLURM_CPUS_PER_TASK:-1}"
