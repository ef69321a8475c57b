"""Nouns, adjectives and adverbs of the demo corpus, grouped by what may be said about them."""

from __future__ import annotations

from words import adjectives, nouns, pairs, places

# People and animals -------------------------------------------------------------------------------------------------

SIBLINGS = nouns("""
    brother = der Bruder/Brüder
    sister = die Schwester/Schwestern
    son = der Sohn/Söhne
    daughter = die Tochter/Töchter
    uncle = der Onkel/Onkel
    aunt = die Tante/Tanten
""")
PARENTS = nouns("""
    father = der Vater/Väter
    mother = die Mutter/Mütter
""")
FAMILY = SIBLINGS + PARENTS
JOBS = nouns("""
    teacher = der Lehrer/Lehrer
    doctor = der Arzt/Ärzte
    student = der Student/Studenten weak
    cook = der Koch/Köche
    baker = der Bäcker/Bäcker
    singer = der Sänger/Sänger
    farmer = der Bauer/Bauern weak
""")
STRANGERS = nouns("""
    man/men = der Mann/Männer
    woman/women = die Frau/Frauen
    child/children = das Kind/Kinder
    girl = das Mädchen/Mädchen
    boy = der Junge/Jungen weak
""")
ACQUAINTANCES = nouns("""
    neighbour = der Nachbar/Nachbarn weak
    friend = der Freund/Freunde
    guest = der Gast/Gäste
""")
PEOPLE = STRANGERS + ACQUAINTANCES + JOBS
NAMES = ("Anna", "Lena", "Maria", "Paul", "Peter", "Martin")
ANIMALS = nouns("""
    dog = der Hund/Hunde
    cat = die Katze/Katzen
    horse = das Pferd/Pferde
    bird = der Vogel/Vögel
    cow = die Kuh/Kühe
    pig = das Schwein/Schweine
    mouse/mice = die Maus/Mäuse
    bear = der Bär/Bären weak
""")

# Things -------------------------------------------------------------------------------------------------------------

FOOD = nouns("""
    apple = der Apfel/Äpfel
    egg = das Ei/Eier
    orange = die Orange/Orangen
    cake = der Kuchen/Kuchen
    potato/potatoes = die Kartoffel/Kartoffeln
    tomato/tomatoes = die Tomate/Tomaten
    sausage = die Wurst/Würste
""")
DISHES = nouns("""
    bread = das Brot
    cheese = der Käse
    meat = das Fleisch
    soup = die Suppe
""")
DRINKS = nouns("""
    water = das Wasser
    milk = die Milch
    coffee = der Kaffee
    tea = der Tee
    juice = der Saft
""")
THINGS = nouns("""
    bicycle = das Fahrrad/Fahrräder
    car = das Auto/Autos
    ball = der Ball/Bälle
    picture = das Bild/Bilder
    knife/knives = das Messer/Messer
    cup = die Tasse/Tassen
    umbrella = der Regenschirm/Regenschirme
    ticket = die Fahrkarte/Fahrkarten
    present = das Geschenk/Geschenke
    guitar = die Gitarre/Gitarren
    key = der Schlüssel/Schlüssel
    bag = die Tasche/Taschen
""")
TEXTS = nouns("""
    book = das Buch/Bücher
    letter = der Brief/Briefe
    newspaper = die Zeitung/Zeitungen
    story = die Geschichte/Geschichten
    report = der Bericht/Berichte
""")
CLOTHES = nouns("""
    jacket = die Jacke/Jacken
    coat = der Mantel/Mäntel
    shirt = das Hemd/Hemden
    dress = das Kleid/Kleider
    shoe = der Schuh/Schuhe
    hat = der Hut/Hüte
""")
DEVICES = nouns("""
    computer = der Computer/Computer
    lamp = die Lampe/Lampen
    radio = das Radio/Radios
    machine = die Maschine/Maschinen
""")
OPENINGS = nouns("""
    door = die Tür/Türen
    window = das Fenster/Fenster
    box = die Kiste/Kisten
    bottle = die Flasche/Flaschen
""")
ROOMS = nouns("""
    room = das Zimmer/Zimmer
    kitchen = die Küche/Küchen
    cellar = der Keller/Keller
""")
FURNITURE = nouns("""
    table = der Tisch/Tische
    chair = der Stuhl/Stühle
    bed = das Bett/Betten
    cupboard = der Schrank/Schränke
    sofa = das Sofa/Sofas
    tree = der Baum/Bäume
""")
VEHICLES = nouns("""
    train = der Zug/Züge
    bus = der Bus/Busse
    ship = das Schiff/Schiffe
""")

# Places -------------------------------------------------------------------------------------------------------------

PLACES = places("""
    park = der Park/Parks : in in in
    city = die Stadt/Städte : in in in
    school = die Schule/Schulen : in in in
    garden = der Garten/Gärten : in in in
    forest = der Wald/Wälder : in in in
    church = die Kirche/Kirchen : in in in
    restaurant = das Restaurant/Restaurants : in in in
    museum = das Museum/Museen : in in in
    cinema = das Kino/Kinos : in in in
    station = der Bahnhof/Bahnhöfe : at an zu
    airport = der Flughafen/Flughäfen : at an zu
    lake = der See/Seen : at an an
    market = der Markt/Märkte : at auf zu
    island = die Insel/Inseln : on auf auf
""")
CITIES = pairs("""
    Berlin = Berlin
    Hamburg = Hamburg
    Munich = München
    Vienna = Wien
    Cologne = Köln
    Italy = Italien
""")
POSITIONS = pairs("""
    on = auf
    under = unter
    next to = neben
    behind = hinter
    in front of = vor
""")

# Adjectives and adverbs ---------------------------------------------------------------------------------------------

OF_BOTH = adjectives("""
    old, older = alt, älter
    small, smaller = klein, kleiner
    beautiful, more beautiful = schön, schöner
    good, better = gut, besser
""")
MOODS = adjectives("""
    tired, more tired = müde/müd, müder
    sick, sicker = krank, kränker
    happy, happier = glücklich, glücklicher
""")
OF_PEOPLE = (
    OF_BOTH
    + MOODS
    + adjectives("""
    young, younger = jung, jünger
    tall, taller = groß, größer
    friendly, friendlier = freundlich, freundlicher
    strong, stronger = stark, stärker
    rich, richer = reich, reicher
""")
)
OF_ANIMALS = OF_BOTH[:3] + adjectives("""
    big, bigger = groß, größer
    fast, faster = schnell, schneller
    black, blacker = schwarz, schwärzer
    white, whiter = weiß, weißer
""")
OF_THINGS = OF_BOTH + adjectives("""
    new, newer = neu, neuer
    big, bigger = groß, größer
    expensive, more expensive = teuer/teur, teurer
    cheap, cheaper = billig, billiger
    heavy, heavier = schwer, schwerer
    red, redder = rot, röter
    blue, bluer = blau, blauer
    green, greener = grün, grüner
""")
OF_MEALS = adjectives("""
    fresh, fresher = frisch, frischer
    cold, colder = kalt, kälter
    warm, warmer = warm, wärmer
    good, better = gut, besser
    expensive, more expensive = teuer/teur, teurer
    cheap, cheaper = billig, billiger
""")
OF_TEXTS = OF_BOTH + adjectives("""
    long, longer = lang, länger
    short, shorter = kurz, kürzer
    new, newer = neu, neuer
    boring, more boring = langweilig, langweiliger
""")
OF_PLACES = OF_BOTH + adjectives("""
    big, bigger = groß, größer
    new, newer = neu, neuer
    quiet, quieter = ruhig, ruhiger
""")
COLOURS = frozenset({"black", "white", "red", "blue", "green"})
"""Adjectives that may follow another one, and are not compared."""
MANNERS = pairs("""
    quickly = schnell
    slowly = langsam
    loudly = laut
    quietly = leise
    alone = allein
""")
FREQUENCIES = pairs("""
    always = immer
    often = oft
    sometimes = manchmal
    never = nie
""")
