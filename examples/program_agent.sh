#!/bin/sh
# An agent in shell, as docs/agent-protocol.md has it. Texts stay in JSON's own writing from the line that is read to the
# line that is said, so that nothing need be unescaped, or escaped.

read -r turn
text=$(printf '%s\n' "$turn" | sed -E 's/^\{"type":"turn","text":"(([^"\\]|\\.)*)".*$/\1/')
printf '{"type":"progress","text":"I think about it"}\n'
printf '{"type":"ask","prompt":"Shall I repeat that?","choices":["yes","no"]}\n'
read -r reply
case $reply in
'{"type":"reply",'*'"text":"yes"}') printf '{"type":"answer","text":"You said: %s"}\n' "$text" ;;
'{"type":"reply",'*) printf '{"type":"answer","text":"Then I keep it to myself."}\n' ;;
*) printf '{"type":"answer","text":"Nobody answered me."}\n' ;;
esac
