# fish completion for leadsync: leadsync completion fish | source
function __leadsync_complete
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    set -l answer ($words[1] __complete --word="$last" $words 2>/dev/null)
    or return
    set -l before (string match -r -- '^--[a-z-]+=' $last)
    set -l value (string replace -r -- '^--[a-z-]+=' '' $last)
    switch $answer[1]
        case file
            for path in (__fish_complete_path $value)
                echo "$before$path"
            end
        case dir
            for path in (__fish_complete_directories $value)
                echo "$before$path"
            end
        case '*'
            printf '%s\n' $answer[2..-1]
    end
end
complete -c leadsync -f -a '(__leadsync_complete)'
