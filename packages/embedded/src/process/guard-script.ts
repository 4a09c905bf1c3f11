// A guard is a shell that starts one program as its child and holds one end of a lifeline to us. It is in a session of its own, so that
// Ctrl-C in the terminal does not reach it, and it outlives us just long enough to clean up: whatever way our process ends, SIGKILL
// included, the kernel closes the lifeline, and the guard stops the program and removes its folder. It makes the folder, too, so there
// is no moment at which there is a folder and no guard.
//
// Arguments: folder, "remove" or "keep" (what becomes of the folder), the signal that stops the program, its log file, the program
// with its arguments.
// Descriptor 3 carries reports to us: "ready" when the folder is there, "pid N" once the program runs, "exit N" once it has ended.
// Descriptor 4 is the lifeline. "go" on it, after "ready", starts the program. "dismiss", after "exit", leaves the folder to the next guard.
// Descriptor 5 is held by the program and its children alone: its end tells us that the last of them is gone.
//
// The signal is repeated until it works: a server that has only just been started ignores it still (a shell's background jobs ignore
// SIGQUIT until they say otherwise), and one that is stopping does not mind.
//
// The guard is the program's parent, so the program's process id cannot be given to anybody else before the guard has taken note of its
// end; the subshell that reads the lifeline until then is killed first, so that it can never signal a stranger.
export const guardScript = `
folder=$1 fate=$2 signal=$3 log=$4
shift 4
trap '' PIPE HUP INT TERM
umask 077
[ -d "$folder" ] || mkdir "$folder" || exit 1
echo ready >&3
read -r line <&4
if [ "$line" = go ]; then
  (trap - PIPE HUP INT TERM; exec "$@") </dev/null >>"$log" 2>&1 3>&- 4<&- &
  server=$!
  exec 5>&-
  echo "pid $server" >&3
  (
    read -r line <&4
    tries=0
    while [ $tries -lt 600 ] && kill -s "$signal" $server; do
      kill -s CONT $server
      sleep 0.05 3>&- 4<&-
      tries=$((tries + 1))
    done
    kill -s KILL $server
  ) &
  reader=$!
  wait $server
  status=$?
  kill -s KILL $reader
  wait $reader
  echo "exit $status" >&3
  read -r line <&4
fi
[ "$line" = dismiss ] && exit 0
[ "$fate" = remove ] || exit 0
tries=0
until rm -rf "$folder" || [ $tries = 100 ]; do
  sleep 0.05
  tries=$((tries + 1))
done
`;
