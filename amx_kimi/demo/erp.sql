-- The sample database of `amx-kimi demo`: a trading and manufacturing ERP as they were written
-- in the nineties. Nothing here is taken from a real product. The same text runs on SQLite,
-- PostgreSQL and DuckDB.
--
-- Comments never reach the database, which is to stay as cryptic as such databases are. One after
-- a column is its recipe for erp.py: how often it is filled (always, unless it says), then the
-- values to pick from: words (# is a digit, _ a space), a range of numbers or days, days after
-- another column (aufdt+5..40), a column of another table (@kstst.kst), or a count (10001++).
-- Columns without one are filled by the code.

-- Cost centers; verant is a pers.persnr that nobody declared as a foreign key.
create table kstst (
    kst char(6) not null,
    bez varchar(40) not null,
    kstart char(1) not null,
    uebkst char(6),
    verant integer,                -- 1001..1060
    gueltab date not null,         -- 1998-01-01..2015-12-31
    gueltbis date not null,        -- 9999-12-31
    budj numeric(13,2),            -- 80% 9000.00..400000.00
    waers char(3) not null,        -- EUR
    loekz char(1),                 -- 12% X
    primary key (kst),
    foreign key (uebkst) references kstst (kst)
);

-- Employees.
create table pers (
    persnr integer not null,       -- 1001++
    kuerz varchar(8) not null,
    anrkz char(1) not null,
    nname varchar(40) not null,    -- Ahlbrink Bördemann Cordshagen Dünnwald Eschenrath Feldkötter Grönemark Hasselbrink Immenhof Jostmeier Kaltwasser Lindhorst Mühlenkamp Niedergall Osterkemp Pfannstiel Quastenberg
    vname varchar(40),             -- Anke Birte Claudia Doerte Heike Katja Renate Sonja Ute Axel Bernd Dieter Frank Günter Holger Jörg Klaus Manfred Ralf Ulf
    gebdt date,                    -- 95% 1959-01-01..1998-12-31
    eintdt date not null,          -- 1998-01-01..2023-06-30
    austdt date,                   -- 8% 2023-09-30..2024-12-31
    kst char(6) not null,          -- @kstst.kst
    vorges integer,                -- 60% 1001..1007
    tel varchar(24),               -- 95% +49_30_23125###
    mobil varchar(24),             -- 15% +49_152_28817###
    email varchar(80),
    iban varchar(34),
    steukl smallint,               -- 90% 1..6
    wostd numeric(4,1),            -- 40.0 38.0 35.0
    gehalt numeric(9,2),           -- 97% 2300.00..7900.00
    stat char(1) not null,
    primary key (persnr),
    foreign key (kst) references kstst (kst),
    foreign key (vorges) references pers (persnr)
);

-- Plants and their storage locations, the plant's address repeated on each.
create table wkstr (
    werk char(4) not null,
    lgort char(4) not null,
    bez varchar(40) not null,
    lgart char(2) not null,        -- HL HL BL QS SP
    kst char(6),                   -- 75% @kstst.kst
    str varchar(40),               -- Gerberweg_1# Am_Kanal_4# Hafenstr._9 Mühlgasse_3#
    plz varchar(10),
    ort varchar(40),
    lkz char(2) not null,
    kapm3 numeric(9,1),            -- 90% 40.0..9000.0
    sperr char(1),                 -- 5% X
    primary key (werk, lgort),
    foreign key (kst) references kstst (kst)
);

-- Customers; vtrnr is the sales representative.
create table kdstm (
    kdnr integer not null,         -- 10001++
    name1 varchar(40) not null,
    name2 varchar(40),             -- 10% Abt._Einkauf Werk_II c/o_Zentrallager
    suchb varchar(12),
    str varchar(40),               -- Gerberweg_1# Am_Kanal_4# Hafenstr._9 Mühlgasse_3#
    plz varchar(10),
    ort varchar(40),
    lkz char(2) not null,
    sprkz char(1) not null,        -- D D D E
    anspr varchar(60),
    tel varchar(24),
    email varchar(80),
    ustid varchar(16),
    iban varchar(34),
    kdgrp char(2) not null,        -- 01 02 02 90
    vtrnr integer,                 -- @pers.persnr
    plkz char(2) not null,         -- EV HD HD
    zbed char(4) not null,         -- Z030 Z030 Z014 Z060 S210 VK00
    klim numeric(11,2),            -- 90% 5000.00..150000.00
    waers char(3) not null,
    rabpz numeric(5,2),            -- 50% 3.00 5.00 7.50
    mahnst smallint not null,      -- 0 0 0 0 0 0 1 1 2 3
    spkz char(1),                  -- 5% X
    anldt date not null,           -- 1996-01-01..2021-12-31
    aendt date,                    -- 60% anldt+20..1000
    aeusr varchar(8),              -- 60% @pers.kuerz BATCH01
    loekz char(1),                 -- 4% X
    primary key (kdnr),
    foreign key (vtrnr) references pers (persnr)
);

-- Suppliers; ukdnr is our customer number there.
create table liefst (
    liefnr integer not null,       -- 70001++
    name1 varchar(40) not null,
    str varchar(40),               -- Gerberweg_1# Am_Kanal_4# Hafenstr._9 Mühlgasse_3#
    plz varchar(10),
    ort varchar(40),
    lkz char(2) not null,
    anspr varchar(60),
    tel varchar(24),
    email varchar(80),
    ustid varchar(16),
    iban varchar(34),
    zbed char(4) not null,         -- Z030 Z014 S210
    waers char(3) not null,
    ukdnr varchar(16),             -- 70% K######
    wbz smallint,                  -- 90% 2..60
    bewnt char(1),                 -- 80% A A B C
    spkz char(1),                  -- 5% X
    anldt date not null,           -- 1996-01-01..2021-12-31
    loekz char(1),                 -- 10% X
    primary key (liefnr)
);

-- Items: raw material (RO), semi-finished (HA), finished (FE) and trading goods (HW).
create table artst (
    artnr varchar(18) not null,
    bez1 varchar(40) not null,
    bez2 varchar(40),              -- 20% Sonderausf. verzinkt nach_Zg.
    wgr char(2) not null,
    artkz char(2) not null,
    meins varchar(3) not null,
    vkme varchar(3),               -- 20% PAK
    umrf numeric(9,3),
    ngew numeric(9,3),             -- 90% 0.005..90.000
    eancd varchar(13),             -- 50% 20###########
    hlief integer,                 -- @liefst.liefnr
    stdpr numeric(11,2) not null,
    mwskz char(2) not null,        -- A1 A1 A1 A1 A1 A1 A1 A1 A2
    meldb numeric(11,3),           -- 85% 5..200
    losgr numeric(11,3),           -- 60% 1.000 10.000 25.000 100.000
    dispo char(3),                 -- 90% D01 D02 D07
    abckl char(1),                 -- 90% A B B C C C
    chpfl char(1),                 -- 10% X
    zolnr varchar(11),             -- 70% 84########
    urspl char(2),                 -- 80% DE DE CZ CN IT
    zchnr varchar(20),             -- Z-##.#####-A Z-##.#####-B Z-##.#####-C
    stat char(2) not null,         -- 10 20 20 20 20 80
    anldt date not null,           -- 1996-01-01..2021-12-31
    aendt date,                    -- 60% anldt+20..1000
    loekz char(1),                 -- 4% X
    primary key (artnr),
    foreign key (hlief) references liefst (liefnr)
);

-- Price lists, by quantity scale and validity.
create table preis (
    plkz char(2) not null,         -- EV HD HD
    artnr varchar(18) not null,
    abmng numeric(11,3) not null,
    gdatab date not null,          -- 2023-01-01
    gdatbis date not null,         -- 9999-12-31
    epreis numeric(11,2) not null,
    waers char(3) not null,        -- EUR
    preinh smallint not null,      -- 1
    aktkz char(1),                 -- 7% X
    primary key (plkz, artnr, abmng, gdatab),
    foreign key (artnr) references artst (artnr)
);

-- Bills of material.
create table stueli (
    kopfnr varchar(18) not null,
    posnr smallint not null,
    kompnr varchar(18) not null,
    menge numeric(11,3) not null,  -- 1..24
    meins varchar(3) not null,
    ausspz numeric(5,2),           -- 20% 1.00..6.00
    altgr char(2),                 -- 5% A1 A2
    gdatab date not null,          -- 2008-01-01..2022-12-31
    gdatbis date not null,         -- 9999-12-31
    primary key (kopfnr, posnr),
    foreign key (kopfnr) references artst (artnr),
    foreign key (kompnr) references artst (artnr)
);

-- Stock by storage location.
create table lgbst (
    werk char(4) not null,
    lgort char(4) not null,
    artnr varchar(18) not null,
    frei numeric(13,3) not null,   -- 0..400
    resv numeric(13,3) not null,   -- 0..60
    qsbst numeric(13,3),           -- 8% 1..20
    gldpr numeric(11,2) not null,
    lplatz varchar(10),            -- 80% A-##-## B-##-## C-##-##
    invdt date,                    -- 90% 2024-11-30
    lzugd date,                    -- 85% 2023-01-01..2024-12-20
    labgd date,                    -- 80% 2023-01-01..2024-12-20
    primary key (werk, lgort, artnr),
    foreign key (werk, lgort) references wkstr (werk, lgort),
    foreign key (artnr) references artst (artnr)
);

-- Sales order heads.
create table aufk (
    aufnr integer not null,        -- 400001++
    aufar char(2) not null,        -- TA TA TA RA EX
    kdnr integer not null,
    bstkd varchar(20),             -- 85% ##-#### PO###### tel.
    aufdt date not null,
    wldt date,                     -- aufdt+5..40
    kst char(6),                   -- 75% @kstst.kst
    vtrnr integer,
    waers char(3) not null,
    kurs numeric(9,5) not null,
    zbed char(4) not null,
    lfbed char(3),                 -- 75% EXW FCA DAP
    vsart char(2),                 -- 80% 01 02 05
    rabpz numeric(5,2),
    netto numeric(13,2) not null,
    mwst numeric(13,2) not null,
    stat char(2) not null,
    abgrd char(2),                 -- 04 11 11
    intxt varchar(2000),
    anusr varchar(8) not null,     -- @pers.kuerz EDI
    ants timestamp not null,       -- aufdt+0..0
    primary key (aufnr),
    foreign key (kdnr) references kdstm (kdnr),
    foreign key (kst) references kstst (kst),
    foreign key (vtrnr) references pers (persnr)
);

-- Sales order lines.
create table aufp (
    aufnr integer not null,
    posnr smallint not null,
    artnr varchar(18) not null,
    menge numeric(11,3) not null,
    meins varchar(3) not null,
    epreis numeric(11,2) not null,
    preinh smallint not null,      -- 1
    rabpz numeric(5,2),
    netto numeric(13,2) not null,
    mwskz char(2) not null,
    wldt date,                     -- 10% 2024-06-01..2024-12-20
    gelmg numeric(11,3) not null,
    chrg varchar(10),              -- 12% C########
    stat char(2) not null,
    primary key (aufnr, posnr),
    foreign key (aufnr) references aufk (aufnr),
    foreign key (artnr) references artst (artnr)
);

-- Deliveries.
create table liefk (
    lfsnr integer not null,        -- 800001++
    aufnr integer not null,
    werk char(4) not null,         -- 1000 1100 2000 3000
    lfdt date not null,
    spedk varchar(6),              -- 85% SPD01 SPD02 EIGEN ABHOL
    sndnr varchar(20),             -- 70% 00############
    kolli smallint,                -- 90% 1..14
    bgew numeric(9,1),             -- 85% 0.5..1900.0
    avis timestamp,                -- 70% lfdt+0..1
    reklk char(2),                 -- 4% Q1 Q2 TR
    stat char(2) not null,         -- 40 40 40 20
    primary key (lfsnr),
    foreign key (aufnr) references aufk (aufnr)
);

-- Invoices and credit notes; storn is the invoice that a credit note cancels.
create table rechk (
    rechnr integer not null,       -- 900001++
    rechar char(2) not null,       -- RE RE RE RE RE RE RE TR
    aufnr integer not null,
    lfsnr integer,
    kdnr integer not null,
    rechdt date not null,
    faeldt date not null,
    waers char(3) not null,
    netto numeric(13,2) not null,
    mwst numeric(13,2) not null,
    brutto numeric(13,2) not null,
    offen numeric(13,2) not null,
    mahnst smallint not null,
    mahndt date,
    storn integer,
    buchkz char(1),                -- 90% F
    primary key (rechnr),
    foreign key (aufnr) references aufk (aufnr),
    foreign key (lfsnr) references liefk (lfsnr),
    foreign key (kdnr) references kdstm (kdnr),
    foreign key (storn) references rechk (rechnr)
);

-- Incoming payments.
create table zahl (
    zahlnr integer not null,       -- 1++
    rechnr integer not null,
    zdat date not null,
    valdt date,                    -- 90% zdat+0..2
    zart char(1) not null,         -- U U U S
    betr numeric(13,2) not null,
    skbtr numeric(11,2),
    waers char(3) not null,
    iban varchar(34),
    vwzwk varchar(140),
    abgkz char(1),                 -- 90% X
    primary key (zahlnr),
    foreign key (rechnr) references rechk (rechnr)
);

-- Purchase order heads.
create table bestk (
    bestnr integer not null,       -- 450001++
    liefnr integer not null,
    bstdt date not null,
    ldt date,                      -- bstdt+10..50
    einkr integer,                 -- 90% @pers.persnr
    waers char(3) not null,
    zbed char(4) not null,
    wert numeric(13,2) not null,
    abnr varchar(20),              -- 70% AB-#####
    stat char(2) not null,
    anusr varchar(8) not null,     -- @pers.kuerz EDI
    memo varchar(254),             -- 8% Abruf_quartalsweise Preis_prüfen! Rahmen_2023
    primary key (bestnr),
    foreign key (liefnr) references liefst (liefnr),
    foreign key (einkr) references pers (persnr)
);

-- Purchase order lines.
create table bestp (
    bestnr integer not null,
    posnr smallint not null,
    artnr varchar(18) not null,
    werk char(4) not null,
    lgort char(4) not null,
    menge numeric(11,3) not null,
    meins varchar(3) not null,
    epreis numeric(11,2) not null,
    ldt date,                      -- 20% 2024-06-01..2024-12-20
    wemg numeric(11,3) not null,
    kst char(6),                   -- 75% @kstst.kst
    stat char(2) not null,
    primary key (bestnr, posnr),
    foreign key (bestnr) references bestk (bestnr),
    foreign key (artnr) references artst (artnr),
    foreign key (werk, lgort) references wkstr (werk, lgort),
    foreign key (kst) references kstst (kst)
);

-- The journal of stock movements, with the accounts each one is posted to.
create table mabu (
    belnr integer not null,
    buzl smallint not null,
    bwart char(3) not null,
    buchdt date not null,
    werk char(4) not null,
    lgort char(4) not null,
    artnr varchar(18) not null,
    shkz char(1) not null,
    menge numeric(13,3) not null,
    meins varchar(3) not null,
    betr numeric(13,2) not null,
    kto char(6) not null,
    gkto char(6) not null,
    kst char(6),                   -- 75% @kstst.kst
    aufnr integer,
    bestnr integer,
    buchtx varchar(50),            -- 60% lt._LS_8##### Umlagerung man._erfasst Storno_geprüft s._Beleg_49#####
    erusr varchar(8) not null,     -- @pers.kuerz BATCH01
    erfts timestamp not null,      -- buchdt+0..2
    storkz char(1),                -- 2% X
    primary key (belnr, buzl),
    foreign key (werk, lgort, artnr) references lgbst (werk, lgort, artnr),
    foreign key (kst) references kstst (kst),
    foreign key (aufnr) references aufk (aufnr),
    foreign key (bestnr) references bestk (bestnr)
);

-- Odd on purpose: what a consultant added once. objar says which table objnr is a key of.
create table zusfl (
    objar char(2) not null,
    objnr varchar(18) not null,
    lfdnr smallint not null,       -- 1
    z_feld1 varchar(30),           -- 80% J N
    z_feld2 varchar(30),           -- 60% ## ### 0
    z_feld3 varchar(30),           -- 40% 1#.0#.2023
    z_feld4 varchar(30),           -- 6% siehe_Akte alt:_## tbd.
    usr_txt varchar(254),          -- 25% lt._Vertrieb_nicht_mahnen Umstellung_2004 steht_auf_Etikett
    x_kz char(1),                  -- 30% X J 1
    resv1 integer,                 -- 0% 0
    primary key (objar, objnr, lfdnr)
);

-- Open items by customer and currency.
create view v_offpo as
select r.kdnr, k.name1, k.kdgrp, r.waers, k.klim,
    count(*) as anzrg,
    sum(r.offen) as sumof,
    min(r.faeldt) as aelfd,
    max(r.mahnst) as mxmah
from rechk r
join kdstm k on k.kdnr = r.kdnr
where r.offen > 0
group by r.kdnr, k.name1, k.kdgrp, r.waers, k.klim;

-- Items whose free stock over all locations is below the reorder point.
create view v_bstdi as
select a.artnr, a.bez1, a.dispo, a.abckl, a.meldb,
    sum(b.frei) as frei,
    sum(b.resv) as resv,
    sum(b.frei - b.resv) as verfg,
    sum(b.frei * b.gldpr) as lwert
from artst a
join lgbst b on b.artnr = a.artnr
group by a.artnr, a.bez1, a.dispo, a.abckl, a.meldb
having sum(b.frei - b.resv) < a.meldb;
