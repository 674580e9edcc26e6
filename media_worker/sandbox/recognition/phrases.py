"""What callers of a small office say, as JSGF rules (W3C JSpeech Grammar Format, 5 June 2000).

Whoever adds a sentence here gives `mind` something to do with it. Words must be in the English
dictionary of pocketsphinx. `<target>` and `<connecting>` are added for the session's tools.
"""

from __future__ import annotations

from typing import Final

RULES: Final = r"""
public <utterance> = [ <opening> ] <request> [ <polite> ] | <small> ;
<opening> = hello | hi | yes | no | okay | good morning | good afternoon | good evening | please ;
<polite> = please | thank you | thanks ;
<request> = <connect> | <hours> | <spell> | <place> | <again> | <story> | <appointment> | <price>
  | <problem> | <call_back> | <language> | <number> | <end> ;
<small> = <greeting> | <answer> | <goodbye> | <thanks> | <wait> | <who> | <help> | <hear> | <time> ;

<person> = a human | a person | a real person | someone | somebody | an agent | an operator
  | a human being ;
<ask> = i would like to | i'd like to | i want to | i need to | can i | could i | may i | let me
  | i have to ;
<do> = please | can you | could you | would you | can you please | could you please ;
<me> = ( connect me ( to | with ) ) | transfer me to | put me through to ;
<connect> = [ <do> ] <me> <whom> | <ask> ( speak | talk ) ( to | with ) <whom> ;
<whom> = <person> <connecting> ;

<day> = monday | tuesday | wednesday | thursday | friday | saturday | sunday | today | tomorrow ;
<when> = [ on ] <day> | on ( weekends | the weekend | holidays ) | now | right now ;
<hours> = ( what are | tell me | i want to know | can you tell me | could you tell me )
    ( your | the ) ( opening | business | office ) hours
  | when ( are you | is the office ) ( open | closed ) [ <when> ]
  | when do you ( open | close ) [ <when> ]
  | what time do you ( open | close ) [ <when> ]
  | are you ( open | closed ) [ <when> ]
  | ( how late | until when | how long ) are you open [ <when> ] ;

<first> = john | mary | peter | anna | michael | sarah | thomas | david | james | robert | linda
  | susan | paul | mark | karen | daniel | laura | julia | george | kevin ;
<last> = smith | johnson | miller | brown | jones | williams | davis | wilson | taylor | anderson
  | jackson | white | harris | martin | clark | lewis | walker | young | king | baker | adams ;
<spell> = [ <do> ] spell ( that | it | the name | your name | my name | what i said ) [ for me ]
  | how do you spell ( that | your name ) | how is that spelled
  | ( my name is | this is ) <first> [ <last> ] ;

<place> = what is your address | what's your address | tell me your address
  | where are you [ located ] | where is your office | where can i find you
  | how do i get ( to you | to your office ) ;
<again> = [ <do> ] repeat that | [ <do> ] say that again | what did you say
  | i did not understand [ that | you ] | i didn't understand [ that | you ] | pardon ;
<story> = [ <do> ] tell me a [ long | very long ] story ;
<appointment> = <ask> ( make | book | cancel | change ) ( an | my ) appointment
    [ [ on | for ] <day> ] [ at <hour> [ o'clock ] ] ;
<hour> = one | two | three | four | five | six | seven | eight | nine | ten | eleven | twelve ;
<price> = how much does it cost | how much is it | what does it cost | what are your prices ;
<problem> = i have a ( question | problem )
    [ with my ( order | bill | phone | account | invoice ) ] ;
<call_back> = [ <do> ] call me back ;
<language> = do you speak ( english | german | french | spanish | italian ) ;
<digit> = zero | oh | one | two | three | four | five | six | seven | eight | nine ;
<number> = ( my ( phone | customer | order | account ) number is | my number is | the number is )
    <digit> <digit> <digit>+ ;
<end> = [ <do> ] hang up [ the phone | now ] | you can hang up now | end the call ;

<greeting> = hello | hi | good morning | good afternoon | good evening | hello there | how are you
  | how are you today ;
<answer> = yes | no | yes please | no thank you | no thanks | okay | sure | of course | certainly
  | that is right | that's right | that is correct | that is wrong | not really | i don't know ;
<goodbye> = [ thank you | thanks | okay ] ( goodbye | bye | bye bye )
  | ( that is all | that's all | that was all ) [ thank you | thanks | goodbye ]
  | no that is all [ thank you ] | i have to go | have a nice day [ goodbye ] ;
<thanks> = thank you [ very much ] | thanks [ a lot ] | many thanks ;
<wait> = stop | stop talking | stop please | please stop | wait | hold on | one moment [ please ]
  | just a moment [ please ] | wait a moment [ please ] ;
<who> = who are you | what is your name | what's your name | who am i ( speaking | talking ) to
  | are you a ( robot | computer | machine | human | person ) ;
<help> = what can you do [ for me ] | how can you help me | can you help me [ please ]
  | i need help ;
<hear> = [ hello ] can you hear me | are you [ still ] there ;
<time> = what time is it | what day is it [ today ] ;
"""

_SHORT: Final = (
    *("hello", "hi", "yes", "no", "okay", "sure", "stop", "wait", "pardon", "thanks", "thank you"),
    *("goodbye", "bye", "bye bye", "good morning", "who are you", "how are you", "yes please"),
    *("no thank you", "no thanks", "hold on", "i need help"),
)
SHORT_JSGF: Final = f"#JSGF V1.0;\ngrammar short;\npublic <utterance> = {' | '.join(_SHORT)} ;\n"
"""For very short utterances, where the large grammar loses its way. It has no name to connect to
and no request to hang up: nothing is done for a cough."""
