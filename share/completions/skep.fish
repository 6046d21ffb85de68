# fish completion for skep: the program itself knows what can come next.

function __skep_complete
    set -l words (commandline -opc) (commandline -ct)
    skep __complete $words[2..-1] 2>/dev/null
end

complete -c skep -f -a '(__skep_complete)'
