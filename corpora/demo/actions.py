"""Verbs of the demo corpus, grouped by who does them to what."""

from __future__ import annotations

from words import modals, verbs

MOVING = verbs("""
    run ran = laufen läuft ist gelaufen
    swim swam = schwimmen ist geschwommen
    jump = springen ist gesprungen
""")
SOUNDING = verbs("""
    sing sang = singen hat gesungen
    laugh = lachen hat gelacht
    cry = weinen hat geweint
""")
RESTING = verbs("""
    sleep slept = schlafen schläft hat geschlafen
    play = spielen hat gespielt
    wait = warten hat gewartet
    wake|up woke = auf|wachen ist gewacht
    fall|asleep fell = ein|schlafen schläft ist geschlafen
    come|back came = zurück|kommen ist gekommen
""")
ACTING = verbs("""
    work = arbeiten hat gearbeitet
    cook = kochen hat gekocht
    dance = tanzen hat getanzt
    learn = lernen hat gelernt
    get|up got = auf|stehen ist gestanden
    go|shopping went = ein|kaufen hat gekauft
    watch|television = fern|sehen sieht hat gesehen
    hurry = sich beeilen hat beeilt
""")
GOING = verbs("""
    go went = gehen ist gegangen
    drive drove = fahren fährt ist gefahren
""")
TRAVELLING = verbs("""
    fly flew = fliegen ist geflogen
""")
DEPARTING = verbs("""
    arrive = an|kommen ist gekommen
    leave left = ab|fahren fährt ist gefahren
""")
LIVING = verbs("live = wohnen hat gewohnt")
ON_PEOPLE = verbs("""
    see saw = sehen sieht hat gesehen
    visit = besuchen hat besucht
    call = an|rufen hat gerufen
    invite = ein|laden lädt hat geladen
    pick|up = ab|holen hat geholt
    look:for = suchen hat gesucht
    find found = finden hat gefunden
    meet met = treffen trifft hat getroffen
    help = helfen hilft hat geholfen dat
    thank = danken hat gedankt dat
    answer = antworten hat geantwortet dat
    follow = folgen ist gefolgt dat
    listen:to = zu|hören hat gehört dat
    wait:for = warten hat gewartet +auf acc
    think:of thought = denken hat gedacht +an acc
    talk:to = sprechen spricht hat gesprochen +mit dat
    remember = sich erinnern hat erinnert +an acc
""")
FEELING = verbs(
    """
    know knew = kennen hat gekannt
    love = lieben hat geliebt
    like = mögen mag hat gemocht
    understand understood = verstehen hat verstanden
""",
    stative=True,
)
COSTING = verbs("cost cost = kosten hat gekostet", stative=True)[0]
BELONGING = verbs("belong:to = gehören hat gehört dat", stative=True)
HAVING = verbs(
    """
    have had = haben hat hat gehabt
    need = brauchen hat gebraucht
""",
    stative=True,
)
TRADING = verbs("""
    buy bought = kaufen hat gekauft
    sell sold = verkaufen hat verkauft
    bring|along brought = mit|bringen hat gebracht
    pay:for paid = bezahlen hat bezahlt
    forget forgot = vergessen vergisst hat vergessen
""")
EATING = verbs("""
    eat ate = essen isst hat gegessen
    try = probieren hat probiert
""")
DRINKING = verbs("""
    drink drank = trinken hat getrunken
    order = bestellen hat bestellt
""")
OWNING = verbs("""
    lose lost = verlieren hat verloren
    find found = finden hat gefunden
    look:for = suchen hat gesucht
    carry = tragen trägt hat getragen
""")
READING = verbs("""
    read read = lesen liest hat gelesen
    write wrote = schreiben hat geschrieben
""")
DRESSING = verbs("""
    put|on put = an|ziehen hat gezogen
    take|off took = aus|ziehen hat gezogen
    try|on = an|probieren hat probiert
    wash = waschen wäscht hat gewaschen
""")
SWITCHING = verbs("""
    turn|on = ein|schalten hat geschaltet
    turn|off = aus|schalten hat geschaltet
    repair = reparieren hat repariert
""")
OPENING = verbs("""
    open = auf|machen hat gemacht
    close = zu|machen hat gemacht
""")
TIDYING = verbs("clean|up = auf|räumen hat geräumt")
GIVING = verbs("""
    give gave = geben gibt hat gegeben
    show showed = zeigen hat gezeigt
    bring brought = bringen hat gebracht
    send sent = schicken hat geschickt
""")
LAYING = verbs("put put = legen hat gelegt")
SAYING = verbs("""
    say said = sagen hat gesagt
    think thought = denken hat gedacht
    hope = hoffen hat gehofft
    know knew = wissen weiß hat gewusst
""")
WONDERING = verbs("""
    ask = fragen hat gefragt
    know knew = wissen weiß hat gewusst
""")
PUNCTUAL = frozenset({"see", "find", "forget", "lose", "understand", "remember", "meet", "live"})
"""English verbs that are not used in the progressive here, besides the stative ones."""
ATTEMPTING = verbs("""
    try = versuchen hat versucht
    begin began = an|fangen fängt hat gefangen
    forget forgot = vergessen vergisst hat vergessen
""")
BE = verbs("be was = sein ist ist gewesen", stative=True)[0]

MODALS = modals("""
    can, could = kann können konnte konnten
    must! = muss müssen
    should = sollte sollten
    may = darf dürfen
    want to*, wanted to = will wollen wollte wollten
    have to*, had to = muss müssen musste mussten
    would like to! = möchte möchten
""")
