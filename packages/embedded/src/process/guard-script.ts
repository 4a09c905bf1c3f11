// A guard is a shell that starts one server as its child and holds one end of a lifeline to us. It is in a session of its own, so
// that Ctrl-C in the terminal does not reach it, and it outlives us just long enough to clean up: whatever way our process ends,
// SIGKILL included, the kernel closes the lifeline, and the guard stops the server and removes its folder.
//
// Arguments: folder, "remove" or "keep" (what becomes of the folder), the signal that stops the server, the command with its arguments.
// Descriptor 3 carries reports to us: "pid N" once the server runs, "exit N" once it has ended.
// Descriptor 4 is the lifeline. A line on it ("dismiss") comes only after "exit": the folder belongs to a next guard from then on.
// Descriptor 5 is held by the server and its children alone: its end tells us that the last of them is gone.
//
// The guard is the server's parent, so the server's process id cannot be given to anybody else before the guard has taken note of its
// end; the subshell that reads the lifeline until then is killed first, so that it can never signal a stranger.
export const guardScript = `
folder=$1 fate=$2 signal=$3
shift 3
"$@" </dev/null 3>&- 4<&- &
server=$!
exec 5>&- 2>/dev/null
trap '' PIPE HUP INT TERM
echo "pid $server" >&3
(
  read -r line <&4
  kill -s "$signal" $server
  kill -s CONT $server
  tries=0
  while [ $tries -lt 100 ] && kill -s 0 $server; do
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
[ "$line" = dismiss ] && exit 0
[ "$fate" = remove ] || exit 0
tries=0
until rm -rf "$folder" || [ $tries = 100 ]; do
  sleep 0.05
  tries=$((tries + 1))
done
`;
