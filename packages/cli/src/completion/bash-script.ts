/**
 * Of our own: that of the library needs the package bash-completion, which not everybody has, and evaluates what has been typed so far. Bash takes = and : for ends of words, so the words
 * are those of the line, and what stands in front of the last of them is left out of a completion.
 */
export const bashScript = String.raw`# bash completion for keyline
_keyline() {
  local line="${"$"}{COMP_LINE:0:COMP_POINT}" value rest
  local -a words
  read -ra words <<< "$line"
  [[ -z "$line" || "$line" == *[[:space:]] ]] && words+=("")
  local current="${"$"}{words[${"$"}{#words[@]}-1]}"
  local kept="${"$"}{current%"${"$"}{current##*[=:]}"}"
  COMPREPLY=()
  while IFS=$'\t' read -r value rest; do
    [[ "$value" == :* ]] && continue
    # The value of an option that is written --option=value comes without the option.
    [[ "$kept" == -*= && "$value" != -* ]] && value="$kept$value"
    [[ -n "$value" && "$value" == "$current"* ]] && COMPREPLY+=("${"$"}{value#"$kept"}")
  done < <(keyline complete -- "${"$"}{words[@]:1}" 2>/dev/null)
}
complete -F _keyline keyline`;
