# fish completion for leadsync: leadsync completion fish | source
function __leadsync_complete
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    set -l program (string replace -r '^~/' $HOME/ $words[1])
    set -l answer ($program __complete --word="$last" $words 2>/dev/null)
    or return
    switch $answer[1]
        case file # of a command that has no completions fish offers files, behind --flag= and ~/ as well
            complete -C "__leadsync_nothing $last"
        case dir
            complete -C "__leadsync_nothing $last" | string match -- '*/'
        case '*'
            printf '%s\n' $answer[2..-1]
    end
end
complete -c leadsync -f -a '(__leadsync_complete)'
